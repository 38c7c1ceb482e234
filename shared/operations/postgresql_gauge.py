"""How the ledger and the audit log stand."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.operations.overview import LedgerState
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.statements import statement


class PostgresLedgerGauge:
    """The port LedgerGauge."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def read(self) -> LedgerState:
        """From the ends of indexes."""
        with self._pool.connection() as session:
            [[newest_entry, letters, audit_entries, sealed_id, sealed_at, refusals]] = session.run(statement("read_gauge"))
        at = None if sealed_at is None else sealed_at.astimezone(UTC)
        unsealed = max(0, int(audit_entries) - int(sealed_id))
        return LedgerState(int(newest_entry), letters or {}, int(audit_entries), unsealed, at, int(refusals))

    def newest_updates(self, limit: int) -> list[tuple[str, datetime]]:
        """By the primary key. A row need not name a player (the column may be null): somebody wrote that by hand."""
        with self._pool.connection() as session:
            rows = session.run(
                "SELECT user_id, created_at FROM score_history ORDER BY id DESC LIMIT CAST(:limit AS int)", limit=limit
            )
        return [(user_id, accepted_at.replace(tzinfo=UTC)) for user_id, accepted_at in rows if user_id is not None]
