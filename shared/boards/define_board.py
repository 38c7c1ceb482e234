"""Boards that operators define: made, changed, deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from shared.boards.board_shards import Holder
from shared.boards.check_definition import MAIN_ID
from shared.boards.definition import BoardDefinition
from shared.boards.read_boards import described
from shared.core.errors import InvalidBoard
from shared.stores.actor import Actor
from shared.stores.everywhere import everywhere
from shared.stores.idempotency import Attempt, not_kept

if TYPE_CHECKING:
    from shared.boards.board_shards import BoardShards
    from shared.boards.known_boards import KnownBoards
    from shared.boards.postgresql import Boards, DefinedBoard


# What a board is shown with and nobody defines: who sends back what was read need not take it out.
_READ_ONLY = ("id", "seasons")


def parse_board(board_id: str, body: Mapping[str, Any]) -> BoardDefinition:
    """Read a definition as a request sends it; raises InvalidBoard."""
    if body.get("id", board_id) != board_id:
        raise InvalidBoard("`id` is another one than in the path. Leave it out.", member="id")
    return BoardDefinition.parse(board_id, {name: value for name, value in body.items() if name not in _READ_ONLY})


def define_board(
    definition: BoardDefinition, actor: Actor, boards: Boards, known: KnownBoards, catch_up: Callable[[], object]
) -> DefinedBoard:
    """What it came to. When Redis is away it is committed all the same, and asking again makes it known.

    Whether the id of a deleted board is free is known after `catch_up`, when every entry from before is in the ledger. Raises
    BoardInUse, and LedgerBehind.
    """
    if boards.is_deleted(definition.board_id):
        catch_up()
    done = boards.put(definition, actor, known.played_periods)
    known.redefined(definition.board_id)
    return done


def put_board(
    definition: BoardDefinition, actor: Actor, boards: Boards, known: KnownBoards, catch_up: Callable[[], object]
) -> dict[str, Any]:
    """`{"isNew", "board"}`; as `define_board`."""
    done = define_board(definition, actor, boards, known, catch_up)
    return {"isNew": done.is_new, "board": described(known.current(definition.board_id))}


def delete_board(board_id: str, actor: Actor, boards: Boards, shards: BoardShards[Holder], attempt: Attempt = not_kept) -> None:
    """Raises UnknownBoard, and InvalidBoard for the specification's board."""
    if board_id == MAIN_ID:
        raise InvalidBoard(f"`{MAIN_ID}` is the specification's board, which cannot be deleted.")
    boards.delete(board_id, actor, attempt(None))
    forget_board(board_id, shards)


def forget_board(board_id: str, shards: BoardShards[Holder]) -> None:
    """Have each shard know that a board was deleted: it may have been on its way between two."""
    everywhere(shards.all, lambda shard: shard.known_boards.redefined(board_id))
