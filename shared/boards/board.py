"""What a board is. The specification's is `main`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Board:
    """A leaderboard by its id, and by how much an update may raise a score."""

    board_id: str
    increments: range


MAIN = Board("main", range(1, 6))
