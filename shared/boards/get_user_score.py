"""A player's place on the board and those around it."""

from __future__ import annotations

from typing import Any

from shared.accounts.check_access import Accounts, ask
from shared.accounts.player import Caller
from shared.boards.names import Names
from shared.boards.ports import Leaderboard
from shared.core.errors import UnknownUser

DEFAULT_NEIGHBOURS, MAX_NEIGHBOURS = 2, 50


def get_user_score(
    user_id: str, neighbours: int, caller: Caller, leaderboard: Leaderboard, accounts: Accounts, names: Names
) -> dict[str, Any]:
    """`{userId, username, rank, score, neighbours: [...]}`, the player left out of the neighbours.

    One round trip to Redis, in which the caller is checked, too. Raises UnknownUser and what ask raises.
    """
    standings = names.of(ask(leaderboard.places(user_id, neighbours), caller, accounts))
    own = next((line for line in standings if line.user_id == user_id), None)
    if own is None:
        raise UnknownUser
    return {**own.as_json(), "neighbours": [line.as_json() for line in standings if line is not own]}
