"""The months of the audit log in PostgreSQL, and what was signed about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from shared.audit.entries import DetachedPart, Seal, Signature, Signed, Span
from shared.audit.postgresql import read_seal
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import text_array
from shared.stores.postgresql.statements import statement

ANSWER_SECONDS = 120.0


class AuditArchive:
    """The parts of `audit_log_archive` (PostgreSQL)."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def begin(self, months: int) -> Span | None:
        """Where rows are to be moved next, if any are older than so many whole months; a part is begun for them."""
        with self._pool.transaction("begin_audit_archive", ANSWER_SECONDS) as session:
            [[after_id, up_to]] = session.run("SELECT * FROM begin_audit_archive(CAST(:months AS int))", months=months)
        return None if up_to is None else Span(int(after_id), int(up_to))

    def seals(self, span: Span, limit: int) -> list[Seal]:
        """The first seals over these ids that another seal follows; some may be of a stranger's making."""
        with self._pool.connection(ANSWER_SECONDS) as session:
            rows = session.run(statement("find_chained_seals"), after_id=span.after_id, up_to=span.up_to, limit=limit)
        return [read_seal(row) for row in rows]

    def move(self, up_to: int, limit: int) -> int:
        """Move up to `limit` rows of the part that was begun, with ids up to `up_to`; answer how many."""
        with self._pool.transaction("archive_audit", ANSWER_SECONDS) as session:
            [[moved]] = session.run("SELECT archive_audit(CAST(:up_to AS bigint), CAST(:limit AS int))", up_to=up_to, limit=limit)
        return int(moved)

    def detached(self) -> list[DetachedPart]:
        """Parts that are said to be in files alone."""
        with self._pool.connection() as session:
            rows = session.run(statement("find_detached_parts"))
        return [
            DetachedPart(part, int(first_id), int(last_id), until.astimezone(UTC), int(row_count), digest)
            for part, first_id, last_id, until, row_count, digest in rows
        ]

    def sign(self, signed: Signed) -> None:
        """Keep a signature."""
        with self._pool.connection() as session:
            key_id, mac = signed.signature.key_id, signed.signature.mac
            session.run(statement("add_signature"), key_id=key_id, signed=signed.hash, mac=mac)

    def is_signed(self, hash_text: str, signatures: Sequence[Signature]) -> bool:
        """Whether one of these, which are all that we could have made, was made."""
        with self._pool.connection() as session:
            [[found]] = session.run(
                "SELECT EXISTS (SELECT FROM audit_signatures WHERE signed = :signed AND (key_id, mac) IN"
                " (SELECT * FROM unnest(CAST(:key_ids AS text[]), CAST(:macs AS text[]))))",
                signed=hash_text,
                key_ids=text_array([signature.key_id for signature in signatures]),
                macs=text_array([signature.mac for signature in signatures]),
            )
        return bool(found)

    def signed_before(self, key_ids: Sequence[str], current: str, after: Signed, limit: int) -> list[Signed]:
        """Signatures with these keys of what is not signed with the current one, a page after the other."""
        with self._pool.connection(ANSWER_SECONDS) as session:
            rows = session.run(
                statement("find_signatures"),
                key_ids=text_array(key_ids),
                current=current,
                after_key_id=after.signature.key_id,
                after_signed=after.hash,
                after_mac=after.signature.mac,
                limit=limit,
            )
        return [Signed(signed, Signature(key_id, mac)) for key_id, signed, mac in rows]
