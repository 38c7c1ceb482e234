"""Which players are out of order when the ledger is compared with a reading of the board."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.ledger.events import Number


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
class Reading:
    """The scores of some players and the `number` of the newest update in them, read in one step; players who are not on the
    board are absent. `number` is None while no epoch is open.
    """

    scores: Mapping[str, int]
    number: Number | None


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A player whose score is not what the ledger says at the number that the board was read at.

    `ledger_total` is None for one the ledger does not know, `board_score` for one who is not on the board; `missing_points`
    were in the ledger once, as the audit log says, and are to be given back to it.
    """

    user_id: str
    ledger_total: int | None
    board_score: int | None
    missing_points: int = 0

    @property
    def is_invented(self) -> bool:
        """On the board without an account that belongs there."""
        return self.ledger_total is None

    @property
    def difference(self) -> int:
        """Add this to the score, whatever it is by now, and it is right."""
        return (self.ledger_total or 0) + self.missing_points - (self.board_score or 0)

    @property
    def is_lowering(self) -> bool:
        """Whether the repair takes points, or a member, off the board."""
        return self.difference < 0 or (self.is_invented and self.board_score is not None)


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
