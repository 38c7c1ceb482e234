"""What was just committed about an account counts from the next request on, everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shared.domain.player import Profile
from shared.domain.session import EndedSession
from shared.errors import Unavailable
from shared.logs import get_logger
from shared.ports import Clock, Leaderboard, Viewers
from shared.services.check_access import Accounts

_log = get_logger(__name__)


class LiveAccounts(Accounts, Protocol):
    """The accounts, and those of them who watch."""

    @property
    def viewers(self) -> Viewers:
        """Everybody who watches."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...


def end_access(ended: Sequence[EndedSession], accounts: LiveAccounts) -> None:
    """No access token of these sessions is accepted any more, and the sockets opened with one are closed."""
    if not ended:
        return
    accounts.access.end(ended)
    sessions_of: dict[str, list[str]] = {}
    for session in ended:
        sessions_of.setdefault(session.user_id, []).append(session.session_id)
    for user_id, session_ids in sessions_of.items():
        accounts.viewers.dismiss(user_id, session_ids, accounts.clock.now())


def spread_profile(user_id: str, accounts: LiveAccounts) -> Profile:
    """Cache the account as it is now, and return it; nobody watches with one that is disabled.

    Of two changes at the same time the earlier one may come to the cache last; so whoever wrote to it looks again whether that
    was the last word, and writes once more if it was not.
    """
    profile = accounts.users.profiles([user_id])[user_id]
    while True:
        accounts.profiles.replace(profile)
        now = accounts.users.profiles([user_id])[user_id]
        if now == profile:
            break
        profile = now
    if profile.disabled:
        accounts.viewers.dismiss_all(user_id, accounts.clock.now())
    return profile


def enter_board(user_id: str, leaderboard: Leaderboard) -> None:
    """Put a player on the board with 0 unless they are there.

    When it is away the account stands all the same: the first update or the next reconciliation enters it.
    """
    try:
        leaderboard.enter(user_id)
    except Unavailable:
        _log.warning("a new player is not on the board yet", extra={"user_id": user_id}, exc_info=True)


def take_effect_again(user_id: str, leaderboard: Leaderboard, accounts: LiveAccounts) -> None:
    """Tell the other stores what became of the account: whoever changed it may have died before it had told them all."""
    end_access(accounts.sessions.ended_of(user_id), accounts)
    if spread_profile(user_id, accounts).role == "player":
        enter_board(user_id, leaderboard)
