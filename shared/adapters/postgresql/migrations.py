"""Brings the schema up to date: numbered SQL files, only forward, each in a transaction of its own."""

from __future__ import annotations

import hashlib
from pathlib import Path

from shared.adapters.postgresql.pool import Pool
from shared.adapters.postgresql.session import Session
from shared.adapters.postgresql.statements import SQL
from shared.errors import ConfigurationError
from shared.logs import get_logger

ANSWER_SECONDS = 280.0
_LOCK_ID = 7_261_995_283  # any number, as long as nobody else on this database locks the same one
_log = get_logger(__name__)


class PostgresMigrations:
    """The files of sql/migrations in the order of their numbers; schema_migrations remembers what ran, with its checksum."""

    def __init__(self, pool: Pool, directory: Path = SQL / "migrations") -> None:
        self._pool = pool
        self._directory = directory

    def apply(self) -> list[str]:
        """Run what has not run yet; answer the names. Several may do this at once: one works, the others wait and find it done.

        Raises ConfigurationError when a file was edited after it ran: write a new one instead.
        """
        return [path.stem for path in sorted(self._directory.glob("[0-9]*.sql")) if self._apply(path)]

    def _apply(self, path: Path) -> bool:
        text = path.read_text(encoding="utf-8")
        checksum = hashlib.sha256(text.encode()).hexdigest()
        with self._pool.transaction(ANSWER_SECONDS) as session:
            session.script("SET LOCAL statement_timeout = 0")
            session.script(f"SELECT pg_advisory_xact_lock({_LOCK_ID})")
            applied = _applied_checksum(session, path.stem)
            if applied == checksum:
                return False
            if applied is not None:
                raise ConfigurationError(f"migration {path.stem} was edited after it had run; restore it and add a new one")
            session.script(text)
            session.run(
                "INSERT INTO schema_migrations (name, checksum) VALUES (:name, :checksum)", name=path.stem, checksum=checksum
            )
        _log.info("migration applied", extra={"migration": path.stem})
        return True


def _applied_checksum(session: Session, name: str) -> str | None:
    session.script(
        "CREATE TABLE IF NOT EXISTS schema_migrations"
        " (name TEXT PRIMARY KEY, checksum TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL DEFAULT now())"
    )
    rows = session.run("SELECT checksum FROM schema_migrations WHERE name = :name", name=name)
    return str(rows[0][0]) if rows else None
