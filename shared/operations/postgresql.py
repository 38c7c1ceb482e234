"""What operators ask of PostgreSQL: numbers, readiness, whose it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from shared.audit.entries import Seal
from shared.audit.postgresql import AuditSeals
from shared.core.errors import PostgresUnavailable
from shared.core.secret_keys import KeyPrint
from shared.operations.installation import Installation, KnownKey
from shared.operations.overview import LedgerState
from shared.operations.readiness import LOG_IN, RECORD, DatabaseFinding
from shared.stores.actor import OPERATOR
from shared.stores.audit_row import add_audit_row
from shared.stores.postgresql.errors import StatementRejected, sqlstate_of
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import Session
from shared.stores.postgresql.statements import statement

PATIENCE_SECONDS = 1.5
LOOKED_AT = 20_000
SLOW_SECONDS = 1.0  # a commit that waits for a standby, for one
_REASONS = {
    "25006": "PostgreSQL is read-only (a standby, or default_transaction_read_only)",
    "42501": "the role in DATABASE_URL lacks rights: run prepare_stores as the owner of the tables",
    "42P01": "tables are missing: run prepare_stores",
    "53100": "PostgreSQL's disk is full",
}
_LOCK_ID = 7_261_995_284  # any number, as long as nobody else on this database locks the same one


class LedgerGauge:
    """The ledger and the audit log (PostgreSQL)."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def read(self) -> LedgerState:
        """In one statement that reads the ends of indexes, whatever the length of the history."""
        with self._pool.connection() as session:
            [[newest_entry, letters, audit_entries, sealed_id, sealed_at, refusals]] = session.run(statement("read_gauge"))
        at = None if sealed_at is None else sealed_at.astimezone(UTC)
        unsealed = max(0, int(audit_entries) - int(sealed_id))
        return LedgerState(int(newest_entry), letters or {}, int(audit_entries), unsealed, at, int(refusals))

    def newest_updates(self, limit: int) -> list[tuple[str, datetime]]:
        """User ids and instants of acceptance of the updates recorded last, `limit` of `main` and as many of the other boards.

        By the primary keys. A row need not name a player (the column may be null): somebody wrote that by hand.
        """
        with self._pool.connection() as session:
            rows = session.run(statement("newest_updates"), limit=limit)
        return [(user_id, accepted_at.astimezone(UTC)) for user_id, accepted_at in rows if user_id is not None]

    def entries_by_board(self) -> dict[str, int]:
        """How many entries of the last minute each board has, if any; of each table the newest 20,000 are looked at."""
        with self._pool.connection() as session:
            return {board_id: int(count) for board_id, count in session.run(statement("entries_by_board"), limit=LOOKED_AT)}


class PostgresProbe:
    """Writes to a row of its own, and looks at the rights that the role has."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._installations = Installations(pool)

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


class Installations:
    """What the database knows of its installation (PostgreSQL).

    The tables may be missing: it is asked before the migrations run, too.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def read(self) -> Installation | None:
        """None for a database without tables of ours."""
        with self._pool.connection() as session:
            return _read(session)

    def newest_seals(self, limit: int) -> list[Seal]:
        """Seals of the audit log; none where there is no such table yet."""
        with self._pool.connection() as session:
            if not _exists(session, "audit_seals"):
                return []
        return AuditSeals(self._pool).newest(limit)

    def kept_letters(self, key_id: str) -> tuple[int, int]:
        """How many messages that the ledger did not take are sealed with this key; how many dead letters it has kept whole.

        By what their bodies begin to be sealed with; they are few.
        """
        with self._pool.connection() as session:
            [[sealed, whole]] = session.run(statement("kept_letters"), sealed=f'"encrypted_data":"{key_id}.')
        return int(sealed), int(whole)

    @contextmanager
    def alone(self) -> Iterator[InstallationRecord]:
        """A transaction in which to change it, under an advisory lock that ends with it."""
        with self._pool.transaction("claim_stores") as session:
            session.script(f"SELECT pg_advisory_xact_lock({_LOCK_ID})")
            yield InstallationRecord(session)


class InstallationRecord:
    """The installation, while no other process writes to it: in the transaction of a session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def read(self) -> Installation | None:
        """As Installations.read()."""
        return _read(self._session)

    def begin(self, installation_id: str) -> None:
        """The stores belong to this installation from now on."""
        self._session.run("INSERT INTO installation (installation_id) VALUES (:id)", id=installation_id)

    def remember(self, current: Sequence[KeyPrint], retired: Sequence[KeyPrint], forgotten: Sequence[KeyPrint]) -> None:
        """The keys in use, those that only open what they sealed before, and those that nothing needs any more.

        A change of the keys in use also stands in the audit log: with that it gets a seal by the new key soon.
        """
        known = _read(self._session)
        for keys, in_use in ((current, True), (retired, False)):
            for key in keys:
                self._session.run(
                    statement("remember_key"),
                    purpose=key.purpose,
                    key_id=key.key_id,
                    fingerprint=key.fingerprint,
                    in_use=in_use,
                )
        for key in forgotten:
            self._session.run(
                "DELETE FROM installation_keys WHERE purpose = :purpose AND key_id = :key_id",
                purpose=key.purpose,
                key_id=key.key_id,
            )
        in_use_before = {one.key for one in known.keys if one.retired_seconds is None} if known else set()
        if in_use_before and in_use_before != set(current):
            detail = {"keys": {key.purpose: key.key_id for key in current}}
            add_audit_row(self._session, "keys_changed", OPERATOR, None, detail)


def _read(session: Session) -> Installation | None:
    if not _exists(session, "schema_migrations"):
        return None
    rows = session.run(statement("find_installation")) if _exists(session, "installation") else []
    if not rows:
        return Installation(None)
    keys = [
        KnownKey(KeyPrint(purpose, key_id, fingerprint), retired_seconds)
        for _, purpose, key_id, fingerprint, retired_seconds in rows
        if purpose is not None
    ]
    return Installation(rows[0][0], tuple(keys))


def _exists(session: Session, table: str) -> bool:
    [[exists]] = session.run("SELECT to_regclass(:table) IS NOT NULL", table=table)
    return bool(exists)
