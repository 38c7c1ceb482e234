"""The months that a table is archived in: partitions, and what is known of their files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from shared.audit.archive_postgresql import AuditArchive
from shared.audit.entries import Signature, Signed
from shared.core.errors import PartNotReady, UnknownPart
from shared.operations.archive import Part, PartFile
from shared.stores.actor import OPERATOR
from shared.stores.audit_row import add_audit_row
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import Session
from shared.stores.postgresql.statements import statement

ANSWER_SECONDS = 280.0
_LINES = {"audit_log": "audit_lines", "score_history": "history_lines"}
_LOAD = {"audit_log": "load_audit", "score_history": "load_history"}


class ArchiveParts:
    """Parts of the archive (PostgreSQL). Only the owner of the tables takes them out and puts them back."""

    def __init__(self, pool: Pool, owners_pool: Pool) -> None:
        self._pool = pool
        self._owners_pool = owners_pool

    def all(self) -> list[Part]:
        """By kind, the oldest first."""
        with self._pool.connection() as session:
            return [_part(row) for row in session.run(statement("find_parts"), kind=None, part=None)]

    def find(self, kind: str, name: str) -> Part | None:
        """One of them."""
        with self._pool.connection() as session:
            rows = session.run(statement("find_parts"), kind=kind, part=name)
        return _part(rows[0]) if rows else None

    def get(self, kind: str, name: str) -> Part:
        """One of them; raises UnknownPart."""
        part = self.find(kind, name)
        if part is None:
            raise UnknownPart
        return part

    def lines(self, part: Part, after: int, limit: int) -> list[tuple[int, str]]:
        """Lines with places above `after`, each with its own; a few more than `limit` where several have one place."""
        with self._pool.connection(ANSWER_SECONDS) as session:
            rows = session.run(
                statement(_LINES[part.kind]), after=after, first_id=part.first_id, last_id=part.last_id, limit=limit
            )
        return [(int(number), line) for number, line in rows]

    def letters_until(self, until: datetime) -> int:
        """How many messages that the ledger did not take were accepted before that, as far as is known."""
        with self._pool.connection() as session:
            [[letters]] = session.run(
                "SELECT count(*) FROM unrecorded_updates"
                " WHERE state <> 'discarded' AND coalesce(accepted_at, noted_at) < CAST(:until AS timestamptz)",
                until=until,
            )
        return int(letters)

    def is_signed(self, said: str, signatures: Sequence[Signature]) -> bool:
        """Whether one of these signatures was made (AuditArchive)."""
        return AuditArchive(self._pool).is_signed(said, signatures)

    def note_file(self, part: Part, digest: str, signature: Signature) -> None:
        """That it is in a file with these lines."""
        AuditArchive(self._owners_pool).sign(Signed(PartFile.hash_of(part, digest), signature))
        with self._owners_pool.connection() as session:
            session.run(
                "UPDATE archive_parts SET digest = :digest, key_id = :key_id, mac = :mac WHERE kind = :kind AND part = :part",
                digest=digest,
                key_id=signature.key_id,
                mac=signature.mac,
                kind=part.kind,
                part=part.name,
            )

    def drop(self, part: Part) -> None:
        """Take it out of the database. Raises PartNotReady when it is in use for long."""
        with self._owners_pool.transaction("drop_part", ANSWER_SECONDS) as session:
            session.script("SET LOCAL lock_timeout = '5s'")
            session.script(f"ALTER TABLE {part.kind}_archive DETACH PARTITION {_table(part)}")
            session.script(f"DROP TABLE {_table(part)}")
            _note(session, part, "archive_part_dropped", is_dropped=True)

    def load(self, part: Part, lines: Sequence[str], attempt: str, *, anew: bool) -> None:
        """Put rows of a dropped part where nobody reads them yet.

        `attempt` (hex digits) names who restores it: raises PartNotReady when another one has begun since.
        """
        staging = f"restored_{_table(part)}"
        with self._owners_pool.transaction("load_part", ANSWER_SECONDS) as session:
            _await_turn(session, part)
            if anew:
                session.script(f"DROP TABLE IF EXISTS {staging}")
                session.script(f"CREATE TABLE {staging} (LIKE {part.kind}_archive)")
                session.script(f"COMMENT ON TABLE {staging} IS '{attempt}'")
            _refuse_others(session, part, attempt)
            sql = statement(_LOAD[part.kind]).replace("restored_part", staging)
            session.run(sql, lines=f"[{','.join(lines)}]")

    def attach(self, part: Part, attempt: str) -> None:
        """Make what was loaded the part again. Raises PartNotReady when it has not the rows it had, and see load."""
        staging, table = f"restored_{_table(part)}", _table(part)
        with self._owners_pool.transaction("attach_part", ANSWER_SECONDS) as session:
            session.script("SET LOCAL lock_timeout = '5s'")
            _await_turn(session, part)
            _refuse_others(session, part, attempt)
            # A table of its own: what was granted on the other one meanwhile is not granted on this.
            session.script(f"CREATE TABLE {table} (LIKE {part.kind}_archive INCLUDING DEFAULTS)")
            sql = statement("fill_restored_part").replace("part_of_archive", table).replace("restored_part", staging)
            [[rows]] = session.run(sql)
            if rows != part.rows:
                raise PartNotReady(f"{part.kind} {part.name} had {part.rows} rows, and {rows} were given: restore it again.")
            session.script(f"DROP TABLE {staging}")
            ids = f"FROM ({part.first_id}) TO ({part.last_id + 1})"
            session.script(f"ALTER TABLE {part.kind}_archive ATTACH PARTITION {table} FOR VALUES {ids}")
            session.script(
                f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_change()"
            )
            _note(session, part, "archive_part_restored", is_dropped=False)


def _await_turn(session: Session, part: Part) -> None:
    """Those who restore a part come one after the other; PartNotReady when one of them was done meanwhile."""
    sql = "SELECT dropped_at IS NOT NULL FROM archive_parts WHERE kind = :kind AND part = :part FOR UPDATE"
    [[is_dropped]] = session.run(sql, kind=part.kind, part=part.name)
    if not is_dropped:
        raise PartNotReady(f"{part.kind} {part.name} is in the database.")


def _refuse_others(session: Session, part: Part, attempt: str) -> None:
    """PartNotReady when what is loaded is not of this attempt."""
    [[found]] = session.run(
        "SELECT coalesce(obj_description(to_regclass(:name), 'pg_class'), '')", name=f"restored_{_table(part)}"
    )
    if found != attempt:
        raise PartNotReady(f"{part.kind} {part.name} is being restored by somebody else, who began later.")


def _note(session: Session, part: Part, action: str, *, is_dropped: bool) -> None:
    session.run(
        "UPDATE archive_parts SET dropped_at = CASE WHEN CAST(:is_dropped AS boolean) THEN now() END"
        " WHERE kind = :kind AND part = :part",
        is_dropped=is_dropped,
        kind=part.kind,
        part=part.name,
    )
    add_audit_row(session, action, OPERATOR, None, {"kind": part.kind, "part": part.name, "rows": part.rows})


def _table(part: Part) -> str:
    return f"{part.kind}_{part.name.replace('-', '_')}"


def _part(row: Sequence[Any]) -> Part:
    kind, name, first_id, last_id, until, rows, filled, dropped, digest = row
    return Part(kind, name, int(first_id), int(last_id), until.astimezone(UTC), int(rows), filled, dropped, digest)
