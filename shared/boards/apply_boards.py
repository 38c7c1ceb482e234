"""Boards as a file says them: what would change, and the changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from shared.boards.board_shards import Holding
from shared.boards.define_board import define_board
from shared.boards.definition import BoardDefinition
from shared.core.errors import BoardElsewhere, BoardInUse, InvalidBoard, InvalidParameter, UnknownBoard
from shared.stores.actor import Actor

if TYPE_CHECKING:
    from shared.boards.board_shards import BoardShards
    from shared.boards.postgresql import Boards, DefinedBoard


class Defining(Holding, Protocol):
    """A shard, and the ledger's definitions of its boards."""

    @property
    def boards(self) -> Boards:
        """Definitions."""
        ...


S = TypeVar("S", bound=Defining)
Put = Callable[[S, BoardDefinition], "DefinedBoard"]


def apply_boards(
    given: object, shards: BoardShards[S], catch_up: Callable[[], object], actor: Actor | None = None
) -> dict[str, Any]:
    """Define boards, of ids and definitions, unless one of them is refused; nothing is done without an `actor`. Beside what a
    definition has, `shard` may say in which one a new board is made.

    `{"boards": [{"id", "change", "differences"} or {"id", "change": "refused", "code", "detail"}], "others": [...]}`: `change` is
    `create`, `change` or `none`, `others` are the boards that are not given, and stay. Raises InvalidParameter,
    and LedgerBehind as `define_board` does.
    """
    if not isinstance(given, Mapping):
        raise InvalidParameter("`boards` must be an object: definitions by the ids of boards.")

    def would_put(shard: S, definition: BoardDefinition) -> DefinedBoard:
        return shard.boards.would_put(definition, shard.known_boards.played_periods)

    steps = [_step(board_id, members, shards, would_put) for board_id, members in given.items()]
    if actor is not None and all(step["change"] != "refused" for step in steps):

        def put(shard: S, definition: BoardDefinition) -> DefinedBoard:
            return define_board(definition, actor, shard.boards, shard.known_boards, catch_up)

        steps = [_step(board_id, members, shards, put) for board_id, members in given.items()]
    return {"boards": steps, "others": [board_id for board_id in shards.first.boards.places() if board_id not in given]}


def _step(board_id: str, members: object, shards: BoardShards[S], put: Put[S]) -> dict[str, Any]:
    try:
        wanted, members = _shard_of(members)
        definition = BoardDefinition.parse(board_id, members)
        done = _put(definition, wanted, shards, put)
    except (InvalidBoard, BoardInUse) as error:
        return {"id": board_id, "change": "refused", "code": error.code, "detail": error.detail}
    change = "create" if done.is_new else "change" if done.differences else "none"
    return {"id": board_id, "change": change, "differences": done.differences}


def _shard_of(members: object) -> tuple[str | None, object]:
    """Which one is named, and the definition without it; raises InvalidBoard."""
    if not isinstance(members, Mapping) or "shard" not in members:
        return None, members
    if not isinstance(members["shard"], str):
        raise InvalidBoard("`shard` must be the name of a shard.", member="shard")
    return members["shard"], {name: value for name, value in members.items() if name != "shard"}


def _put(definition: BoardDefinition, wanted: str | None, shards: BoardShards[S], put: Put[S]) -> DefinedBoard:
    board_id = definition.board_id
    if wanted is None:
        return shards.at(board_id, partial(_given, put, definition))
    shard = shards.named(wanted)
    try:
        placed = shards.first.boards.placed(board_id)
    except UnknownBoard:
        return put(shard, definition)
    if placed.shard != wanted:
        raise InvalidBoard(
            f"It is in the shard `{placed.shard}`: `scoreboard boards move {board_id} {wanted}` moves it.", member="shard"
        )
    if placed.moving_to is not None:
        raise BoardElsewhere
    return put(shard, definition)


def _given(put: Put[S], definition: BoardDefinition, shard: S) -> DefinedBoard:
    return put(shard, definition)
