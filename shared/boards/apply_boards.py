"""Boards as a file says them: what would change, and the changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from shared.boards.define_board import define_board
from shared.boards.definition import BoardDefinition
from shared.core.errors import BoardInUse, InvalidBoard, InvalidParameter
from shared.stores.actor import Actor

if TYPE_CHECKING:
    from shared.boards.known_boards import KnownBoards
    from shared.boards.postgresql import Boards, DefinedBoard


def apply_boards(
    given: object, boards: Boards, known: KnownBoards, catch_up: Callable[[], object], actor: Actor | None = None
) -> dict[str, Any]:
    """Define boards, of ids and definitions, unless one of them is refused; nothing is done without an `actor`.

    `{"boards": [{"id", "change", "differences"} or {"id", "change": "refused", "code", "detail"}], "others": [...]}`: `change` is
    `create`, `change` or `none`, `others` are the boards that are not given, and stay. Raises InvalidParameter,
    and LedgerBehind as `define_board` does.
    """
    if not isinstance(given, Mapping):
        raise InvalidParameter("`boards` must be an object: definitions by the ids of boards.")

    def would_put(definition: BoardDefinition) -> DefinedBoard:
        return boards.would_put(definition, known.played_periods)

    steps = [_step(board_id, members, would_put) for board_id, members in given.items()]
    if actor is not None and all(step["change"] != "refused" for step in steps):

        def put(definition: BoardDefinition) -> DefinedBoard:
            return define_board(definition, actor, boards, known, catch_up)

        steps = [_step(board_id, members, put) for board_id, members in given.items()]
    return {"boards": steps, "others": [board.board_id for board in boards.list() if board.board_id not in given]}


def _step(board_id: str, members: object, put: Callable[[BoardDefinition], DefinedBoard]) -> dict[str, Any]:
    try:
        done = put(BoardDefinition.parse(board_id, members))
    except (InvalidBoard, BoardInUse) as error:
        return {"id": board_id, "change": "refused", "code": error.code, "detail": error.detail}
    change = "create" if done.is_new else "change" if done.differences else "none"
    return {"id": board_id, "change": change, "differences": done.differences}
