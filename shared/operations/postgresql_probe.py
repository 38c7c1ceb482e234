"""Whether PostgreSQL takes what is recorded, and what a log-in writes."""

from __future__ import annotations

from time import monotonic
from typing import Any

from shared.core.errors import PostgresUnavailable
from shared.operations.postgresql_installations import PostgresInstallations
from shared.operations.readiness import LOG_IN, RECORD, DatabaseFinding
from shared.stores.postgresql.errors import StatementRejected, sqlstate_of
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.statements import statement

PATIENCE_SECONDS = 1.5
SLOW_SECONDS = 1.0  # a commit that waits for a standby, for one
_REASONS = {
    "25006": "PostgreSQL is read-only (a standby, or default_transaction_read_only)",
    "42501": "the role in DATABASE_URL lacks rights: run prepare_stores as the owner of the tables",
    "42P01": "tables are missing: run prepare_stores",
    "53100": "PostgreSQL's disk is full",
}


class PostgresProbe:
    """Writes to a row of its own, and looks at the rights that the role has."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._installations = PostgresInstallations(pool)

    def __call__(self) -> DatabaseFinding:
        """Raises PostgresUnavailable when PostgreSQL does not answer."""
        with self._pool.connection(PATIENCE_SECONDS) as session:
            problems: dict[str, str] = dict(session.run(statement("find_lost_rights")))
        installation = self._installations.read()
        if reason := self._cannot_write():
            problems = {RECORD: reason, LOG_IN: reason} | problems
        return DatabaseFinding(problems, installation)

    def _cannot_write(self) -> str:
        began = monotonic()
        try:
            with self._pool.transaction("readiness", PATIENCE_SECONDS) as session:
                # Ended by the server itself, so that not one process a second is left behind there.
                session.script(f"SET LOCAL statement_timeout = '{SLOW_SECONDS:g}s'")
                session.run(statement("write_probe"))
        except (PostgresUnavailable, StatementRejected) as error:
            if monotonic() - began < SLOW_SECONDS:
                return reason_of(error)
        return f"PostgreSQL takes longer than {SLOW_SECONDS:g} s to write" if monotonic() - began >= SLOW_SECONDS else ""


def reason_of(error: Exception) -> str:
    """In plain words; what PostgreSQL said is for the log alone."""
    state: Any = error.sqlstate if isinstance(error, StatementRejected) else sqlstate_of(error.__cause__)
    return _REASONS.get(state, f"PostgreSQL cannot write ({state or 'no answer'})")
