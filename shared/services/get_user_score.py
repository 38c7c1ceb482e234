"""A player's place on the board and those around it."""

from __future__ import annotations

from typing import Any

from shared.errors import UnknownUser
from shared.ports import Leaderboard, Profiles, Users
from shared.services.know_players import name_positions

DEFAULT_NEIGHBOURS, MAX_NEIGHBOURS = 2, 50


def get_user_score(user_id: str, neighbours: int, leaderboard: Leaderboard, profiles: Profiles, users: Users) -> dict[str, Any]:
    """`{userId, username, rank, score, neighbours: [...]}`, the player left out of the neighbours; raises UnknownUser."""
    standings = name_positions(leaderboard.around(user_id, neighbours), profiles, users)
    own = next((line for line in standings if line.user_id == user_id), None)
    if own is None:
        raise UnknownUser
    return {**own.as_json(), "neighbours": [line.as_json() for line in standings if line is not own]}
