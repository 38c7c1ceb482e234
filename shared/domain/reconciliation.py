"""Which players are out of order when the ledger is held against readings of the board."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class EpochSpan:
    """The epoch a run opened, and the one from which on totals may have changed since the last run that repaired."""

    opened: int
    since: int


@dataclass(frozen=True, slots=True)
class Sweep:
    """How far the rolling comparison of everybody has come: through the ledger by user id, through the board by cursor."""

    ledger_after: str = ""
    board_cursor: int = 0


@dataclass(frozen=True, slots=True)
class PointsAsOf:
    """A player's points in the ledger, how many of them came after an instant, and whether any came in its very millisecond."""

    points: int
    later: int
    unclear: bool


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A player of whom the ledger and two readings of the board do not say the same.

    `ledger_total` is None for one the ledger does not know, a reading is None for one who is not on the board; `missing_points`
    were in the ledger once, as the audit log says, and are to be given back to it.
    """

    user_id: str
    ledger_total: int | None
    board_before: int | None
    board_after: int | None
    missing_points: int = 0

    @property
    def is_invented(self) -> bool:
        """On the board without an account that belongs there."""
        return self.ledger_total is None

    @property
    def difference(self) -> int:
        """Add this to the board's score and both agree again: exact when `board_before` equals `board_after`."""
        return (self.ledger_total or 0) + self.missing_points - (self.board_before or 0)

    @property
    def is_in_order(self) -> bool:
        """Nothing to repair."""
        return not (self.difference or self.missing_points or self.is_invented) and None not in (
            self.board_before,
            self.board_after,
        )


@dataclass(frozen=True, slots=True)
class ReconciliationRun:
    """What a run did: `whole_board`, or what changed and a part of the rest; `checked` counts players of the ledger."""

    epoch: int
    started_at: datetime
    dry_run: bool
    whole_board: bool
    checked: int
    discrepancies: Sequence[Discrepancy]


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run as it was written down; `discrepancies` are the first of the `found`, in the words of the API."""

    run_id: int
    started_at: datetime
    finished_at: datetime
    dry_run: bool
    whole_board: bool
    checked: int
    found: int
    discrepancies: Sequence[Mapping[str, Any]]


def differing(board: Mapping[str, int], ledger: Mapping[str, int]) -> list[str]:
    """Players whom the two do not say the same of, for whatever reason; those in flight are among them."""
    return [user_id for user_id in board.keys() | ledger.keys() if board.get(user_id) != ledger.get(user_id)]
