"""The board as readers see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Standing(NamedTuple):
    """One row of the board; `rank` is 1-based, `display_name` the username until one is chosen."""

    user_id: str
    username: str
    display_name: str
    rank: int
    score: int

    def as_json(self) -> dict[str, str | int]:
        """The line in the words of the API."""
        return {
            "userId": self.user_id,
            "username": self.username,
            "displayName": self.display_name,
            "rank": self.rank,
            "score": self.score,
        }


class Position(NamedTuple):
    """A place on the board before names are known; `rank` is 1-based."""

    user_id: str
    rank: int
    score: int


class Places(NamedTuple):
    """Positions that follow one another, and whose profile was changed before they were read.

    `changes` are entries (id, user id) of a stream, in their order, from the entry `since` on with that one; all there are when
    it is empty.
    """

    positions: list[Position]
    since: str = ""
    changes: Sequence[tuple[str, str]] = ()
