"""Players have a place on the board from the beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from shared.accounts.player import Role
from shared.core.errors import Unavailable
from shared.core.logs import get_logger

if TYPE_CHECKING:
    from shared.boards.redis import Leaderboard


_log = get_logger(__name__)


class Entrant(Protocol):
    """An account, as far as the board is concerned."""

    @property
    def user_id(self) -> str:
        """Whose it is."""
        ...

    @property
    def role(self) -> Role:
        """Players are on the board, admins are not."""
        ...


E = TypeVar("E", bound=Entrant)


def enter_board(account: E, leaderboard: Leaderboard) -> E:
    """Put a player on the board with 0 unless they are there, and take an admin off it who has no point; returns the account.

    When the board is away the account stands all the same: the first update or the next reconciliation sees to it.
    """
    try:
        if account.role == "player":
            leaderboard.enter(account.user_id)
        else:
            leaderboard.leave(account.user_id)
    except Unavailable:
        _log.warning("an account is not on the board as it should be yet", extra={"user_id": account.user_id}, exc_info=True)
    return account
