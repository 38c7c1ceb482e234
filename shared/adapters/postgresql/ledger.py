"""The history of record: score_history, score_totals and audit_log."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from shared.adapters.postgresql.pool import Pool
from shared.adapters.postgresql.statements import statement
from shared.domain.reconciliation import Discrepancy, LedgerTotal
from shared.domain.score import HistoryEntry, RecordedBatch, ScoreAccepted

PAGE = 50_000
RECONCILE_ANSWER_SECONDS = 120.0


class PostgresLedger:
    """The port Ledger."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def record(self, events: Sequence[ScoreAccepted], marker_ids: Sequence[str] = ()) -> RecordedBatch:
        """One transaction, one statement for any number of events, in the order of user ids so that nobody deadlocks."""
        ordered = sorted(events, key=lambda event: event.user_id)
        with self._pool.transaction() as session:
            new, unknown = 0, []
            if ordered:
                rows = session.run(
                    statement("record_updates"),
                    request_ids=[event.request_id for event in ordered],
                    user_ids=[event.user_id for event in ordered],
                    increments=[event.increment for event in ordered],
                    new_scores=[event.new_score for event in ordered],
                    accepted_ats=[int(event.accepted_at.timestamp() * 1000) for event in ordered],
                    source_ips=[event.source_ip for event in ordered],
                )
                new, unknown = rows[0]
            for marker_id in marker_ids:
                session.run(
                    "INSERT INTO ledger_markers (marker_id) VALUES (:marker_id) ON CONFLICT DO NOTHING", marker_id=marker_id
                )
        return RecordedBatch(int(new), frozenset(unknown))

    def history(self, user_id: str, limit: int, before_id: int | None) -> list[HistoryEntry]:
        """Newest first."""
        with self._pool.connection() as session:
            rows = session.run(
                "SELECT id, request_id, user_id, increment, new_score, created_at FROM score_history"
                " WHERE user_id = :user_id AND id < CAST(:before_id AS bigint) ORDER BY id DESC LIMIT CAST(:limit AS int)",
                user_id=user_id,
                before_id=before_id if before_id is not None else 2**62,
                limit=limit,
            )
        return [HistoryEntry(row[0], row[1], row[2], row[3], row[4], row[5].replace(tzinfo=UTC)) for row in rows]

    def totals(self, user_ids: Sequence[str]) -> dict[str, int]:
        """Running totals; players without one are absent."""
        with self._pool.connection() as session:
            rows = session.run(
                "SELECT user_id, total FROM score_totals WHERE user_id = ANY(CAST(:user_ids AS text[]))",
                user_ids=list(user_ids),
            )
        return {row[0]: int(row[1]) for row in rows}

    def all_totals(self) -> Iterator[LedgerTotal]:
        """Every player, page by page in the order of ids."""
        after = ""
        while True:
            with self._pool.connection(RECONCILE_ANSWER_SECONDS) as session:
                rows = session.run(
                    "SELECT users.user_id, coalesce(total, 0) FROM users LEFT JOIN score_totals USING (user_id)"
                    " WHERE (role = 'player' OR total IS NOT NULL) AND users.user_id > :after"
                    " ORDER BY users.user_id LIMIT CAST(:page AS int)",
                    after=after,
                    page=PAGE,
                )
            yield from (LedgerTotal(row[0], int(row[1])) for row in rows)
            if len(rows) < PAGE:
                return
            after = rows[-1][0]

    def audit(self, action: str, *, actor: str, user_id: str | None, detail: Mapping[str, Any]) -> None:
        """One row of audit_log."""
        with self._pool.connection() as session:
            session.run(
                "INSERT INTO audit_log (action, actor, user_id, detail)"
                " VALUES (:action, :actor, :user_id, CAST(:detail AS jsonb))",
                action=action,
                actor=actor,
                user_id=user_id,
                detail=json.dumps(detail),
            )

    def save_reconciliation(
        self, checked: int, discrepancies: Sequence[Discrepancy], *, dry_run: bool, started_at: datetime
    ) -> int:
        """The run, with what was found."""
        detail = [
            {
                "userId": found.user_id,
                "ledgerTotal": found.ledger_total,
                "boardBefore": found.board_before,
                "boardAfter": found.board_after,
                "difference": found.difference,
            }
            for found in discrepancies
        ]
        with self._pool.connection() as session:
            rows = session.run(
                "INSERT INTO reconciliation_runs (started_at, dry_run, checked, discrepancies, detail)"
                " VALUES (CAST(:started_at AS timestamptz), :dry_run, :checked, :discrepancies, CAST(:detail AS jsonb))"
                " RETURNING id",
                started_at=started_at.isoformat(),
                dry_run=dry_run,
                checked=checked,
                discrepancies=len(discrepancies),
                detail=json.dumps(detail),
            )
        return int(rows[0][0])

    def passed_marker(self, marker_id: str) -> bool:
        """Whether it is there."""
        with self._pool.connection() as session:
            return bool(session.run("SELECT 1 FROM ledger_markers WHERE marker_id = :marker_id", marker_id=marker_id))
