"""Brings the schema up to date: numbered SQL files, only forward, each in a transaction of its own; then the rights in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.core.errors import ConfigurationError
from shared.core.logs import get_logger
from shared.stores.postgresql.errors import StatementRejected
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import Session
from shared.stores.postgresql.statements import LAYER, statement

MIGRATIONS = LAYER / "stores/migrations"
ANSWER_SECONDS = 280.0
_LOCK_ID = 7_261_995_283  # any number, as long as nobody else on this database locks the same one
_RAISED = "P0001"  # RAISE EXCEPTION: it speaks to the operator
_log = get_logger(__name__)


class Migrations:
    """The schema (PostgreSQL).

    The files of stores/migrations in the order of their numbers; schema_migrations remembers what ran, with its checksum.

    The tables belong to whom `pool` connects as. `functions_role`, if it is another role, gets what privileges.sql says.
    """

    def __init__(self, pool: Pool, directory: Path = MIGRATIONS, *, functions_role: str = "") -> None:
        self._pool = pool
        self._directory = directory
        self._functions_role = functions_role

    def apply(self) -> list[str]:
        """Run what has not run yet; answer the names. Several may do this at once: one works, the others wait and find it done.

        Raises ConfigurationError when a file was edited after it ran (write a new one instead), when a migration says what an
        operator must see to first, and when the functions' role has rights that nobody can take from it.
        """
        applied = [path.stem for path in sorted(self._directory.glob("[0-9]*.sql")) if self._apply(path)]
        if self._functions_role:
            self._grant()
        return applied

    def _apply(self, path: Path) -> bool:
        text = path.read_text(encoding="utf-8")
        checksum = hashlib.sha256(text.encode()).hexdigest()
        with self._alone() as session:
            applied = _applied_checksum(session, path.stem)
            if applied == checksum:
                return False
            if applied is not None:
                raise ConfigurationError(f"migration {path.stem} was edited after it had run; restore it and add a new one")
            _run(session, text, path.stem)
            session.run(
                "INSERT INTO schema_migrations (name, checksum) VALUES (:name, :checksum)", name=path.stem, checksum=checksum
            )
        _log.info("migration applied", extra={"migration": path.stem})
        return True

    def _grant(self) -> None:
        """The rules for rights are the newest version's: an older one that starts beside it leaves them as they are."""
        with self._alone() as session:
            known = [path.stem for path in self._directory.glob("[0-9]*.sql")]
            newer = session.run(
                "SELECT name FROM schema_migrations WHERE name <> ALL(CAST(:known AS text[])) ORDER BY name", known=known
            )
            if newer:
                _log.warning(
                    "rights in the database are left as a newer version has granted them",
                    extra={"unknown_migrations": [name for (name,) in newer]},
                )
                return
            session.run("SELECT set_config('scoreboard.functions_role', :role, true)", role=self._functions_role)
            session.script(statement("privileges"))
            [[may_change]] = session.run(statement("may_change_audit_log"), role=self._functions_role)
            if may_change:
                raise ConfigurationError(
                    f"{self._functions_role} of DATABASE_URL may change the audit log whatever it is granted: it must be"
                    " neither a superuser nor a member of the role of MIGRATIONS_DATABASE_URL"
                )

    @contextmanager
    def _alone(self) -> Iterator[Session]:
        """A transaction while which no other process migrates."""
        with self._pool.transaction("migrate", ANSWER_SECONDS) as session:
            session.script("SET LOCAL statement_timeout = 0")
            session.script(f"SELECT pg_advisory_xact_lock({_LOCK_ID})")
            yield session


def _run(session: Session, text: str, name: str) -> None:
    try:
        session.script(text)
    except StatementRejected as error:
        if error.sqlstate != _RAISED:
            raise
        raise ConfigurationError(f"migration {name}: {error.message}") from error


def _applied_checksum(session: Session, name: str) -> str | None:
    session.script(
        "CREATE TABLE IF NOT EXISTS schema_migrations"
        " (name TEXT PRIMARY KEY, checksum TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL DEFAULT now())"
    )
    rows = session.run("SELECT checksum FROM schema_migrations WHERE name = :name", name=name)
    return str(rows[0][0]) if rows else None
