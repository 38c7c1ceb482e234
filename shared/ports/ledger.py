"""The history of record and its schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from shared.domain.reconciliation import Discrepancy, LedgerTotal
from shared.domain.score import HistoryEntry, RecordedBatch, ScoreAccepted


class Ledger(Protocol):
    """The history of record (PostgreSQL)."""

    def record(self, events: Sequence[ScoreAccepted], marker_ids: Sequence[str] = ()) -> RecordedBatch:
        """Write events, running totals, audit rows and markers in one transaction; request ids it has are ignored."""
        ...

    def history(self, user_id: str, limit: int, before_id: int | None) -> list[HistoryEntry]:
        """Entries of one player, newest first, with ids below `before_id`."""
        ...

    def totals(self, user_ids: Sequence[str]) -> dict[str, int]:
        """Running totals of these players."""
        ...

    def all_totals(self) -> Iterable[LedgerTotal]:
        """Every player of the ledger with the running total (0 for those who never scored)."""
        ...

    def audit(self, action: str, *, actor: str, user_id: str | None, detail: Mapping[str, Any]) -> None:
        """Write one row of audit_log."""
        ...

    def save_reconciliation(
        self, checked: int, discrepancies: Sequence[Discrepancy], *, dry_run: bool, started_at: datetime
    ) -> int:
        """Write one row of reconciliation_runs and one audit row per repair; answer the run's id."""
        ...

    def passed_marker(self, marker_id: str) -> bool:
        """Whether the consumer has committed this marker."""
        ...


class Migrations(Protocol):
    """The schema (PostgreSQL)."""

    def apply(self) -> list[str]:
        """Bring the schema up to date, safe to run side by side; answer the names of the migrations that ran."""
        ...
