"""An admin changes what an account may do."""

from __future__ import annotations

from shared.domain.audit import Actor
from shared.domain.idempotency import Attempt, not_kept
from shared.domain.player import Account, AccountChange
from shared.ports import AccountChanges, Leaderboard
from shared.services.take_effect import LiveAccounts, end_access, enter_board, spread_profile


def change_user(
    user_id: str,
    change: AccountChange,
    actor: Actor,
    changes: AccountChanges,
    leaderboard: Leaderboard,
    accounts: LiveAccounts,
    attempt: Attempt = not_kept,
) -> Account:
    """The account as it is then; raises UnknownUser or LastAdmin.

    When Redis is away it is committed all the same, and asking again makes it known: a cached profile is a minute old at most.
    """
    account, ended = changes.change(user_id, change, actor, attempt)
    end_access(ended, accounts)
    spread_profile(user_id, accounts)
    if account.role == "player":
        enter_board(user_id, leaderboard)
    return account
