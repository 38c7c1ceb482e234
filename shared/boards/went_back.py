"""Boards that a Redis which went back has in a state that the ledger knows is over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.boards.definition import changes_meaning
from shared.core.logs import get_logger

if TYPE_CHECKING:
    from shared.boards.fill_boards import BoardStores
    from shared.boards.states_redis import HeldBoard


_log = get_logger(__name__)


def went_back(board_id: str, board: HeldBoard, newest: Mapping[tuple[str, str], int]) -> bool:
    """Whether the ledger has later seasons than Redis. `newest` was read before the board was, and nothing is written there that
    was not in Redis first.
    """
    return any(newest.get((board_id, season.period), 0) > season.newest for season in board.state.seasons)


def drop_what_went_back(stores: BoardStores) -> None:
    """Take boards out of Redis whose seasons are earlier ones than the ledger's, whose entries would mean something else now, or
    that were deleted; fill_boards brings back those that there are.

    Only where no entry is accepted, and the ledger has everything that was.
    """
    newest = stores.seasons.newest_open()
    definitions = {definition.board_id: definition for definition in stores.boards.list()}
    for board_id, board in stores.states.load_all({*definitions, *stores.seasons.gone_boards()}).items():
        definition = definitions.get(board_id)
        if definition is None or went_back(board_id, board, newest) or changes_meaning(board.state.definition, definition):
            _log.warning("Redis went back to an earlier state of a board", extra={"board": board_id})
            stores.states.drop(board_id)
