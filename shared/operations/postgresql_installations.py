"""Whose the stores are, and which keys sealed what is in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from shared.audit.audit_seals import PostgresAuditSeals
from shared.audit.entries import Seal
from shared.operations.installation import Installation, KnownKey
from shared.stores.actor import Actor
from shared.stores.audit_row import add_audit_row
from shared.stores.key_print import KeyPrint
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import Session
from shared.stores.postgresql.statements import statement

_LOCK_ID = 7_261_995_284  # any number, as long as nobody else on this database locks the same one


class PostgresInstallations:
    """The port Installations. The tables may be missing: it is asked before the migrations run, too."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def read(self) -> Installation | None:
        """From the two tables, if they are there."""
        with self._pool.connection() as session:
            return _read(session)

    def newest_seals(self, limit: int) -> list[Seal]:
        """By the primary key."""
        with self._pool.connection() as session:
            if not _exists(session, "audit_seals"):
                return []
        return PostgresAuditSeals(self._pool).newest(limit)

    def kept_letters(self, key_id: str) -> tuple[int, int]:
        """By what their bodies begin to be sealed with; they are few."""
        with self._pool.connection() as session:
            [[sealed, whole]] = session.run(statement("kept_letters"), sealed=f'"encrypted_data":"{key_id}.')
        return int(sealed), int(whole)

    @contextmanager
    def alone(self) -> Iterator[_Record]:
        """Under an advisory lock that ends with the transaction."""
        with self._pool.transaction("claim_stores") as session:
            session.script(f"SELECT pg_advisory_xact_lock({_LOCK_ID})")
            yield _Record(session)


class _Record:
    """The port InstallationRecord, in the transaction of a session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def read(self) -> Installation | None:
        return _read(self._session)

    def begin(self, installation_id: str) -> None:
        self._session.run("INSERT INTO installation (installation_id) VALUES (:id)", id=installation_id)

    def remember(self, current: Sequence[KeyPrint], retired: Sequence[KeyPrint], forgotten: Sequence[KeyPrint]) -> None:
        """A change of the keys in use also stands in the audit log: with that it gets a seal by the new key soon."""
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
            add_audit_row(self._session, "keys_changed", Actor("operator"), None, detail)


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
