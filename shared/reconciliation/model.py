"""Which players are out of order when the ledger is compared with a reading of the board."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from shared.ledger.events import Number

MAX_ID_LENGTH = 36


class Finding(Protocol):
    """Somebody who is out of order on a board."""

    @property
    def user_id(self) -> str:
        """Whoever it is, in the words of Redis."""
        ...

    def as_json(self) -> dict[str, Any]:
        """In the words of the API, without whom it concerns."""
        ...


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
    """The scores of some players and the `number` of the newest update in them, read in one step: of those who are `shown` on
    the board, and of those who are `hidden` beside it. `number` is None while no epoch is open.
    """

    shown: Mapping[str, int]
    number: Number | None
    hidden: Mapping[str, int] = field(default_factory=dict)

    def score(self, user_id: str) -> int | None:
        """Wherever the player is; None for one who is nowhere."""
        if user_id not in self.shown and user_id not in self.hidden:
            return None
        return self.shown.get(user_id, 0) + self.hidden.get(user_id, 0)

    def is_misplaced(self, user_id: str, *, is_hidden: bool) -> bool:
        """Whether the player is shown and should be hidden, or the other way round."""
        if is_hidden:
            return user_id in self.shown or user_id not in self.hidden
        return user_id in self.hidden


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A player whose score is not what the ledger says at the number that the board was read at, or who is in the wrong place.

    `ledger_total` is None for one the ledger does not know, `board_score` for one who is not on the board; `missing_points`
    were in the ledger once, as the audit log says, and are to be given back to it. One who `is_misplaced` is to be shown on the
    board, or hidden beside it.
    """

    user_id: str
    ledger_total: int | None
    board_score: int | None
    missing_points: int = 0
    is_misplaced: bool = False

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

    def as_json(self) -> dict[str, Any]:
        """In the words of the API, without whom it concerns."""
        return {
            "ledgerTotal": self.ledger_total,
            "boardBefore": self.board_score,
            "boardAfter": self.board_score,
            "missingPoints": self.missing_points,
            "difference": self.difference,
            "misplaced": self.is_misplaced,
        }


@dataclass(frozen=True, slots=True)
class ReconciliationRun:
    """What a run did: `whole_board`, or what changed and a part of the rest; `checked` counts players of the ledger."""

    epoch: int
    started_at: datetime
    dry_run: bool
    whole_board: bool
    checked: int
    discrepancies: Sequence[Finding]


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


def is_possible(name: str) -> bool:
    """Whether an account could have this id; what stands in Redis may be anything."""
    return 0 < len(name) <= MAX_ID_LENGTH and name.isprintable()


def readable(name: str) -> str:
    """As it is, or in ASCII for what no account could have."""
    return name if is_possible(name) else ascii(name)
