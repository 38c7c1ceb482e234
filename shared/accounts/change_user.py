"""An admin changes what an account may do."""

from __future__ import annotations

from shared.accounts.player import Account, AccountChange
from shared.accounts.ports import AccountChanges
from shared.accounts.take_effect import LiveAccounts, end_access, spread_profile
from shared.stores.actor import Actor
from shared.stores.idempotency import Attempt, not_kept


def change_user(
    user_id: str,
    change: AccountChange,
    actor: Actor,
    changes: AccountChanges,
    accounts: LiveAccounts,
    attempt: Attempt = not_kept,
) -> Account:
    """The account as it is then; raises UnknownUser or LastAdmin.

    When Redis is away it is committed all the same, and asking again makes it known: a cached profile is a minute old at most.
    """
    account, ended = changes.change(user_id, change, actor, attempt)
    end_access(ended, accounts)
    spread_profile(user_id, accounts)
    return account
