"""End a season of a board now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared.boards.board import MAIN
from shared.boards.definition import ALL_TIME, BoardDefinition
from shared.boards.entry import BoardMoved
from shared.boards.get_seasons import season_json
from shared.core.errors import InvalidParameter, LeaderboardRebuilding, NeverReset, NoOpenSeason
from shared.stores.actor import Actor
from shared.stores.idempotency import Attempt, not_kept

if TYPE_CHECKING:
    from shared.boards.fill_boards import BoardStores
    from shared.boards.known_boards import KnownBoards
    from shared.boards.states_redis import BoardStates, Reset


MAX_TRIES = 5


def reset_board(
    board_id: str,
    body: Mapping[str, Any],
    actor: Actor,
    request_name: str,
    known: KnownBoards,
    stores: BoardStores,
    attempt: Attempt = not_kept,
) -> dict[str, Any]:
    """`{"period"?}`, which may be left out where one alone can be reset; answers `{"board", "ended", "began"}`.

    Redis decides; the ledger is told afterwards. A request that died between the two ends no other season when it is sent again
    under its name. Raises UnknownBoard, InvalidParameter, NeverReset, NoOpenSeason and LeaderboardRebuilding.
    """
    if board_id == MAIN.board_id:
        raise NeverReset
    period = known.judged(board_id, lambda board: _period(board, body))
    reset = _reset(board_id, period, request_name, known, stores.states)
    answer = {"board": board_id, "ended": season_json(reset.ended), "began": season_json(reset.began)}
    stores.seasons.reset(board_id, reset, actor, attempt(answer))
    return answer


def _period(board: BoardDefinition, body: Mapping[str, Any]) -> str:
    names = [period.name for period in board.periods if period.name != ALL_TIME]
    period = body.get("period", names[0] if len(names) == 1 else ALL_TIME if not names else None)
    if period == ALL_TIME and (not names or "period" in body):
        raise NeverReset
    if period not in names:
        raise InvalidParameter(f"`period` must be one of this board's that can be reset: {', '.join(names)}.")
    return str(period)


def _reset(board_id: str, period: str, request_name: str, known: KnownBoards, states: BoardStates) -> Reset:
    state = known.get(board_id)
    for _ in range(MAX_TRIES):
        answer = states.reset(state, period, request_name)
        if answer is None:
            raise NoOpenSeason
        if not isinstance(answer, BoardMoved):
            return answer
        state = known.renewed(board_id, answer.now)
    raise LeaderboardRebuilding
