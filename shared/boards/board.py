"""What a board is. The specification's is `main`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from shared.stores.keys import BoardKeys, ShardKeys


class Order(NamedTuple):
    """How members stand, by the commands of Redis that answer a member's rank, and the members of a span of ranks."""

    rank: str
    span: str


DESCENDING = Order("ZREVRANK", "ZREVRANGE")
# How an accepted value changes a score, by the command of Redis that does it and answers the new score.
ADD = "ZINCRBY"


@dataclass(frozen=True, slots=True)
class Board:
    """A leaderboard: how it is named in Redis, what may be written to it, and how it is read.

    Equal scores stand in the `order` of members' names, which end with user ids: core/ids.py makes those of players so that who
    registered earlier stands first.
    """

    board_id: str
    key: str
    prepared: str  # how the keys of prepared documents begin
    member_prefix: str
    increments: range
    operator: str
    order: Order
    first_score: int  # with which every player enters
    max_score: int  # and -max_score is the least
    top: int  # places of a frame, and of a page unless more are asked for
    max_top: int

    def keys(self, shard: ShardKeys) -> BoardKeys:
        """Its keys in a shard."""
        return shard.board(self.key, self.prepared)

    def member(self, user_id: str) -> str:
        """A player's member of the sorted set."""
        return self.member_prefix + user_id

    def user_id_of(self, member: str) -> str:
        """The player of a member."""
        return member.removeprefix(self.member_prefix)


MAIN = Board(
    board_id="main",
    key="leaderboard",
    prepared="cached_top",
    member_prefix="user:",
    increments=range(1, 6),
    operator=ADD,
    order=DESCENDING,
    first_score=0,
    max_score=2**31 - 1,  # score_history.new_score is INT
    top=10,
    max_top=100,
)
