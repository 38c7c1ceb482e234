"""Brings the schema up to date: numbered SQL files, only forward, each in a transaction of its own; then the rights in it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
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
_OLDEST_SCHEMA = re.compile(r"^-- Oldest schema beside it: ([0-9]{4})$", re.MULTILINE)
_log = get_logger(__name__)


class Migrations:
    """The schema (PostgreSQL).

    The files of stores/migrations in the order of their numbers; schema_migrations remembers what ran, with its checksum. The
    number of its newest file is a version's schema.

    Versions run side by side, so migrations add. One that older versions cannot work with says so in a line of its head,
    `-- Oldest schema beside it: 0033`: it waits until no instance of an older schema runs, and from then on those do not start.

    The tables belong to whom `pool` connects as. `functions_role`, if it is another role, gets what privileges.sql says. `own`
    are the ids of this instance, and of the one that it follows, which is not waited for.
    """

    def __init__(self, pool: Pool, directory: Path = MIGRATIONS, *, functions_role: str = "", own: Collection[str] = ()) -> None:
        self._pool = pool
        self._files = sorted(directory.glob("[0-9]*.sql"))
        self._functions_role = functions_role
        self._own = own

    def apply(self) -> list[str]:
        """Run what has not run yet; answer the names. Several may do this at once: one works, the others wait and find it done.

        Raises ConfigurationError, having changed nothing, when this version is too old for the database; when a running instance
        is too old for a migration, when a file was edited after it ran (write a new one instead), when a migration says what an
        operator must see to first, and when the functions' role has rights that nobody can take from it.
        """
        self.refuse_outdated()
        applied = [path.stem for path in self._files if self._apply(path)]
        if self._functions_role:
            self._grant()
        return applied

    def refuse_outdated(self) -> None:
        """Raise ConfigurationError when a migration ran that this version cannot work with."""
        with self._alone() as session:
            found = session.run(
                "SELECT name, oldest_schema FROM schema_migrations WHERE oldest_schema > :schema"
                " ORDER BY oldest_schema DESC LIMIT 1",
                schema=newest_schema(self._files),
            )
        for name, oldest in found:
            raise ConfigurationError(
                f"a newer version has changed the database ({name}) so that this one cannot work with it: the schema of this"
                f" version is {newest_schema(self._files):04}, and {oldest:04} is the oldest that can. Start the newer version,"
                " or restore the backup from before the upgrade"
            )

    def _apply(self, path: Path) -> bool:
        text = path.read_text(encoding="utf-8")
        checksum = hashlib.sha256(text.encode()).hexdigest()
        oldest = _OLDEST_SCHEMA.search(text)
        with self._alone() as session:
            applied = _applied_checksum(session, path.stem)
            if applied == checksum:
                return False
            if applied is not None:
                raise ConfigurationError(f"migration {path.stem} was edited after it had run; restore it and add a new one")
            if oldest:
                self._refuse_beside_older(session, path.stem, int(oldest[1]))
            _run(session, text, path.stem)
            session.run(
                "INSERT INTO schema_migrations (name, checksum, oldest_schema) VALUES (:name, :checksum, CAST(:oldest AS int))",
                name=path.stem,
                checksum=checksum,
                oldest=int(oldest[1]) if oldest else None,
            )
        _log.info("migration applied", extra={"migration": path.stem})
        return True

    def _refuse_beside_older(self, session: Session, name: str, oldest: int) -> None:
        """By their leases; an instance tells its schema in them, unless it is of a version that had none."""
        [[is_there]] = session.run("SELECT to_regclass('leases') IS NOT NULL")
        running = session.run(statement("older_instances"), oldest=oldest, own=list(self._own)) if is_there else []
        if running:
            raise ConfigurationError(
                f"the migration {name} changes the database so that versions with a schema before {oldest:04} cannot work with"
                f" it, and such instances are running: {', '.join(holder for (holder,) in running)}. Stop them first (one that"
                " was killed counts for some seconds more), or upgrade them to a version in between"
            )

    def _grant(self) -> None:
        """The rules for rights are the newest version's: an older one that starts beside it leaves them as they are."""
        with self._alone() as session:
            known = [path.stem for path in self._files]
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
            _make_table(session)
            yield session


def newest_schema(files: Collection[Path] = ()) -> int:
    """The number of the newest migration: of these files, or of this version's."""
    return max((int(path.name[:4]) for path in files or MIGRATIONS.glob("[0-9]*.sql")), default=0)


def _make_table(session: Session) -> None:
    """`oldest_schema` is what a migration says that older versions cannot work with; NULL for all that only add."""
    [[columns]] = session.run(
        "SELECT count(*) FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND table_name = 'schema_migrations'"
        " AND column_name IN ('name', 'oldest_schema')"
    )
    if columns == 0:
        session.script(
            "CREATE TABLE schema_migrations (name TEXT PRIMARY KEY, checksum TEXT NOT NULL,"
            " applied_at TIMESTAMPTZ NOT NULL DEFAULT now(), oldest_schema INT)"
        )
    elif columns == 1:
        session.script("ALTER TABLE schema_migrations ADD COLUMN oldest_schema INT")


def _run(session: Session, text: str, name: str) -> None:
    try:
        session.script(text)
    except StatementRejected as error:
        if error.sqlstate != _RAISED:
            raise
        raise ConfigurationError(f"migration {name}: {error.message}") from error


def _applied_checksum(session: Session, name: str) -> str | None:
    rows = session.run("SELECT checksum FROM schema_migrations WHERE name = :name", name=name)
    return str(rows[0][0]) if rows else None
