"""An admin changes what an account may do."""

from __future__ import annotations

from shared.domain.audit import Actor
from shared.domain.player import Account, AccountChange
from shared.errors import Unavailable
from shared.logs import get_logger
from shared.ports import AccountChanges, Leaderboard
from shared.services.take_effect import LiveAccounts, end_access, spread_profile

_log = get_logger(__name__)


def change_user(
    user_id: str, change: AccountChange, actor: Actor, changes: AccountChanges, leaderboard: Leaderboard, accounts: LiveAccounts
) -> Account:
    """The account as it is then; raises UnknownUser or LastAdmin.

    When Redis is away it is committed all the same, and asking again makes it known: a cached profile is a minute old at most.
    """
    account, ended = changes.change(user_id, change, actor)
    end_access(ended, accounts)
    spread_profile(user_id, accounts)
    if account.role == "player":
        try:
            leaderboard.enter(user_id)
        except Unavailable:
            _log.warning("a new player is not on the board yet", extra={"user_id": user_id}, exc_info=True)
    return account
