"""Fill the boards that Redis does not hold from the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.boards.definition import BoardDefinition
from shared.boards.season import NO_RESETS, begun, overtaken
from shared.core.errors import LeaderboardRebuilding, UnknownBoard
from shared.core.logs import get_logger
from shared.ledger.catch_up import Pipeline, catch_up

if TYPE_CHECKING:
    from shared.boards.hidden_postgresql import HiddenPlayers
    from shared.boards.postgresql import Boards
    from shared.boards.seasons_postgresql import BoardSeasons
    from shared.boards.states_redis import BoardStates


_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BoardStores:
    """The boards of a shard in Redis, and in the ledger, with who is hidden on them."""

    states: BoardStates
    boards: Boards
    seasons: BoardSeasons
    hidden: HiddenPlayers


def fill_boards(stores: BoardStores, pipeline: Pipeline) -> int:
    """All boards that Redis does not hold, the busiest first; returns how many were filled. Raises LedgerBehind.

    Only where Redis is whole again: what another Redis accepted has come to the ledger by then.
    """
    lacking = stores.states.lacking(stores.seasons.boards_by_traffic())
    if not lacking:
        return 0
    catch_up(pipeline)
    filled = 0
    for board_id in lacking:
        try:
            filled += fill_board(board_id, stores)
        except (UnknownBoard, LeaderboardRebuilding):
            continue  # deleted or moved meanwhile, or Redis was emptied once more: the next run begins anew
    return filled


def fill_board(board_id: str, stores: BoardStores) -> bool:
    """One board, from a ledger that has all its entries: with its open seasons and everybody in them, in one step.

    False when another process was faster. Nobody can write to the board before. Raises UnknownBoard and BoardElsewhere.
    """
    before, mark = stores.states.gone(board_id), stores.states.mark()
    return before is not None and put_from_ledger(stores.boards.here(board_id), stores, before, mark)


def put_from_ledger(
    definition: BoardDefinition, stores: BoardStores, before: str, mark: str, resets: Mapping[str, str] = NO_RESETS
) -> bool:
    """The same where the board's version was `before` and the mark of Redis was `mark`."""
    board_id, newest = definition.board_id, stores.seasons.newest(definition.board_id)
    state = begun(definition, stores.states.now(), newest)
    pages = ((season, page) for season in state.open_seasons for page in stores.seasons.standings(definition, season))
    standings = stores.states.fill(state, pages, overtaken(state, newest), before=before, mark=mark, resets=resets)
    if standings is None:
        return False
    _log.warning("board filled from the ledger", extra={"board": board_id, "standings": standings})
    return True
