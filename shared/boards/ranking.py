"""The board as readers see it."""

from __future__ import annotations

from typing import NamedTuple


class Standing(NamedTuple):
    """One line of the board; `rank` is 1-based."""

    user_id: str
    username: str
    rank: int
    score: int

    def as_json(self) -> dict[str, str | int]:
        """The line in the words of the API."""
        return {"userId": self.user_id, "username": self.username, "rank": self.rank, "score": self.score}


class Position(NamedTuple):
    """A place on the board before names are known; `rank` is 1-based."""

    user_id: str
    rank: int
    score: int
