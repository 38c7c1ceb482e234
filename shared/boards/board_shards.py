"""Which shard a board is in, and going there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from shared.boards.board import MAIN
from shared.core.errors import BoardElsewhere, InvalidBoard, RedisUnavailable, UnknownBoard

if TYPE_CHECKING:
    from shared.boards.known_boards import KnownBoards
    from shared.boards.postgresql import Boards


class Named(Protocol):
    """A shard."""

    @property
    def name(self) -> str:
        """What it is called in REDIS_SHARDS; `main` is the first one."""
        ...


class Holding(Named, Protocol):
    """One with the boards that are known in it."""

    @property
    def known_boards(self) -> KnownBoards:
        """Its boards."""
        ...


S = TypeVar("S", bound=Named)
Holder = TypeVar("Holder", bound=Holding)
T = TypeVar("T")


class BoardShards(Generic[S]):
    """The shards that this process is told of, the first one first, and where each board was found last.

    A board is looked for in the database once, and again when its shard says that it has left: reading and entering cost no more
    than with one shard. With one shard nobody looks, unless that shard does not hold the board.
    """

    def __init__(self, shards: Sequence[S], boards: Boards) -> None:
        self.all = tuple(shards)
        self._by_name = {shard.name: shard for shard in shards}
        self._boards = boards
        self._found: dict[str, S] = {}

    @property
    def first(self) -> S:
        """With `main`, and all that is not a board's."""
        return self.all[0]

    @property
    def further(self) -> Sequence[S]:
        """All others."""
        return self.all[1:]

    def named(self, name: str) -> S:
        """Raises InvalidBoard, which says which there are."""
        if name not in self._by_name:
            raise InvalidBoard(f"There is no shard `{name}`, only {self._listed()}: see REDIS_SHARDS.", member="shard")
        return self._by_name[name]

    def of(self, board_id: str) -> S:
        """Where a board was found last; of one that there is not where it would be made. Raises BoardElsewhere."""
        if len(self.all) == 1 or board_id == MAIN.board_id:
            return self.first
        return self._found.get(board_id) or self.found_again(board_id)

    def found_again(self, board_id: str) -> S:
        """As the database says; raises BoardElsewhere for a board on its way, or in a shard that this process is not told of."""
        self._found.pop(board_id, None)
        try:
            placed = self._boards.placed(board_id)
        except UnknownBoard:
            return self.chosen(board_id)
        if placed.moving_to is not None:
            raise BoardElsewhere
        shard = self._by_name.get(placed.shard)
        if shard is None:
            raise BoardElsewhere(
                f"The board is in the shard `{placed.shard}`, of which this instance is not told (REDIS_SHARDS)."
                " Try again shortly."
            )
        self._found[board_id] = shard
        return shard

    def chosen(self, board_id: str) -> S:
        """Where a new board is made unless somebody says otherwise: the same for the same id and shards, and in equal parts."""

        def weight(shard: S) -> bytes:
            return hashlib.sha256(f"{shard.name}\n{board_id}".encode()).digest()

        return max(self.all, key=weight)

    def at(self, board_id: str, do: Callable[[S], T]) -> T:
        """What is done in the board's shard, once more where it has left the one in which it was found. It must be harmless
        twice.
        """
        shard = self.of(board_id)
        try:
            return do(shard)
        except RedisUnavailable:
            self._found.pop(board_id, None)
            raise
        except BoardElsewhere:
            now = self.found_again(board_id)
            if now is shard:
                raise
            return do(now)

    def _listed(self) -> str:
        return ", ".join(f"`{name}`" for name in self._by_name)
