"""Where a player stands on a board, in every period."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from shared.accounts.check_access import Accounts, cache_profile
from shared.accounts.player import Profile
from shared.boards.board_rows import PlayerRows, Stale
from shared.boards.read_rows import BoardReading, Identify, ask_board, named
from shared.boards.season import BoardState
from shared.core.errors import ScoreboardError, Unauthenticated, UnknownPlayer, UnknownUser

if TYPE_CHECKING:
    from shared.boards.scores_redis import Asked


DEFAULT_NEIGHBOURS, MAX_NEIGHBOURS = 2, 50


def get_board_place(user_id: str, board_id: str, neighbours: int, identify: Identify, reading: BoardReading) -> dict[str, Any]:
    """`{userId, username, displayName, places: [{period, season, rank, score, second?, neighbours: [...]}]}`, of open seasons.

    The player is left out of the neighbours, and a season without the player out of the places. One who is hidden sees where they
    would stand; for others they have no place. Raises UnknownUser, and what ask_board raises.
    """

    def asks(state: BoardState, asker: str = "") -> Asked[PlayerRows | Stale]:
        seasons = [(season.period, season.number) for season in state.open_seasons]
        return reading.scores.players(state, seasons, [user_id], neighbours, reading.names.since, asker=asker)

    identify = cache(identify)
    try:
        is_own = _is_of(user_id, identify)
        state, found = ask_board(
            board_id, lambda state: asks(state, user_id if is_own else ""), identify, reading, is_personal=is_own
        )
    except (Unauthenticated, UnknownPlayer):
        # Where the board is public whoever may not come in any more sees what everybody sees.
        state, found = ask_board(board_id, asks, identify, reading)
    around = [(period, season, rows) for period, season, _, [rows] in found.seasons if rows]
    if not around:
        profile = _known_player(user_id, reading.accounts)
        return {
            "userId": user_id,
            "username": profile.username,
            "displayName": profile.display_name or profile.username,
            "places": [],
        }
    lines = iter(named(state.definition, [row for _, _, rows in around for row in rows], found, reading.names))
    places: list[dict[str, Any]] = []
    own: dict[str, Any] = {}
    for period, season, rows in around:
        standings = [next(lines) for _ in rows]
        own = next(line for line in standings if line["userId"] == user_id)
        place = {name: value for name, value in own.items() if name in ("rank", "score", "second")}
        others = [line for line in standings if line is not own]
        places.append({"period": period, "season": season, **place, "neighbours": others})
    return {**{name: own[name] for name in ("userId", "username", "displayName")}, "places": places}


def _is_of(user_id: str, identify: Identify) -> bool:
    """Whether whoever asks is this player, as the token says."""
    try:
        caller = identify()
    except ScoreboardError:
        return False
    return caller is not None and caller.user_id == user_id


def _known_player(user_id: str, accounts: Accounts) -> Profile:
    """Who plays without a row on this board; raises UnknownUser."""
    profile = accounts.profiles.get_many([user_id]).get(user_id) or cache_profile(user_id, accounts)
    if profile is None or profile.disabled or profile.role != "player":
        raise UnknownUser
    return profile
