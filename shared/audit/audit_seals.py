"""The chain of seals on PostgreSQL; contents are hashed there, so that no row travels."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.audit.entries import MAX_SEQ, Content, Horizon, Seal, Signature
from shared.core import metrics
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.statements import statement

ANSWER_SECONDS = 120.0
MAX_ROWS = 1001  # that are read for one seal, whatever it says
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class PostgresAuditSeals:
    """The port AuditSeals."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def horizon(self) -> Horizon:
        """First the sequence, then the locks: whoever has taken an id by then is among the writers."""
        with self._pool.connection() as session:
            [[last_id]] = session.run("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM audit_log_id_seq")
            writers = session.run(statement("audit_writers"))
        return Horizon(int(last_id), frozenset(row[0] for row in writers))

    def still_writing(self, writers: frozenset[str]) -> frozenset[str]:
        """A number is not used again while the one who had it may matter: it counts up in each session."""
        return writers & frozenset(row[0] for row in self._run(statement("audit_writers")))

    def end(self, writers: frozenset[str]) -> None:
        """A role may end its own processes, and no other's."""
        self._run(statement("end_audit_writers"), writers=sorted(writers))

    def newest(self, limit: int = 1, below: int | None = None) -> list[Seal]:
        """By the primary key."""
        return [_seal(row) for row in self._run(statement("find_newest_seals"), below_seq=below, limit=limit)]

    def free_numbers(self, after: int) -> range:
        """By the primary key."""
        [[first, taken]] = self._run(statement("free_seal_numbers"), after_seq=after)
        return range(int(first), min(MAX_SEQ + 1, int(taken or MAX_SEQ + 1)))

    def unsealed(self, after_id: int, up_to: int, rows_a_seal: int, seals: int) -> list[Content]:
        """Gaps between the ids belong to the content that comes after them, those at the end to the last one."""
        rows = self._run(statement("unsealed_contents"), after_id=after_id, up_to=up_to, rows_a_seal=rows_a_seal, seals=seals)
        is_all = sum(int(row[1]) for row in rows) < rows_a_seal * seals
        contents, first_id = [], after_id + 1
        for place, (last_id, row_count, content_hash, read_at) in enumerate(rows, 1):
            ends_at = up_to if is_all and place == len(rows) else int(last_id)
            contents.append(Content(first_id, ends_at, int(row_count), content_hash, read_at.astimezone(UTC)))
            first_id = ends_at + 1
        return contents

    def add(self, seals: Sequence[Seal]) -> bool:
        """One statement."""
        [[is_added]] = self._run(
            statement("add_seals"),
            seqs=[seal.seq for seal in seals],
            first_ids=[seal.content.first_id for seal in seals],
            last_ids=[seal.content.last_id for seal in seals],
            row_counts=[seal.content.row_count for seal in seals],
            sealed_ats=[(seal.content.read_at - _EPOCH) // timedelta(microseconds=1) for seal in seals],
            content_hashes=[seal.content.content_hash for seal in seals],
            previous_hashes=[seal.previous_hash for seal in seals],
            hashes=[seal.hash for seal in seals],
            key_ids=[seal.signature.key_id for seal in seals],
            macs=[seal.signature.mac for seal in seals],
        )
        if is_added:
            metrics.rows_inserted.of("audit_seals").inc(len(seals))
        return bool(is_added)

    def page(self, from_seq: int, limit: int) -> list[Seal]:
        """By the primary key."""
        return [_seal(row) for row in self._run(statement("find_seals"), from_seq=from_seq, limit=limit)]

    def contents(self, seals: Sequence[Seal]) -> list[Content]:
        """One statement for all."""
        rows = self._run(
            statement("seal_contents"),
            first_ids=[seal.content.first_id for seal in seals],
            last_ids=[seal.content.last_id for seal in seals],
            limits=[min(max(1, 2 * seal.content.row_count + 1), MAX_ROWS) for seal in seals],
        )
        return [
            Content(seal.content.first_id, seal.content.last_id, int(row_count), content_hash, read_at.astimezone(UTC))
            for seal, (row_count, content_hash, read_at) in zip(seals, rows, strict=True)
        ]

    def rows_outside(self, last_id: int) -> tuple[int, int]:
        """By the primary key."""
        [[below, above]] = self._run(
            "SELECT (SELECT count(*) FROM audit_log WHERE id <= 0),"
            " (SELECT count(*) FROM audit_log WHERE id > CAST(:last_id AS bigint))",
            last_id=last_id,
        )
        return int(below), int(above)

    def _run(self, sql: str, **parameters: Any) -> list[list[Any]]:
        with self._pool.connection(ANSWER_SECONDS) as session:
            return session.run(sql, **parameters)


def _seal(row: Sequence[Any]) -> Seal:
    seq, first_id, last_id, row_count, content_hash, sealed_at, previous_hash, hash_text, key_id, mac = row
    content = Content(int(first_id), int(last_id), int(row_count), content_hash, sealed_at.astimezone(UTC))
    return Seal(int(seq), content, previous_hash, hash_text, Signature(key_id, mac))
