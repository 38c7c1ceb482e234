"""The audit log in PostgreSQL and the chain of its seals, which hash their contents there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

from shared.audit.entries import MAX_SEQ, AuditEntry, AuditFilter, Content, Horizon, Seal, Signature
from shared.audit.refusal import RefusalBatch, RefusalGroup, merged
from shared.core import metrics
from shared.core.clock import utc_text
from shared.core.ids import folded
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import Session
from shared.stores.postgresql.statements import statement

LEFT_OUT = "refusals_left_out"
RECORDER = "record_refusals"
MAX_DIGITS = 18
MAX_UNREADABLE = 1000
_LAST_ID = 2**63 - 1
ANSWER_SECONDS = 120.0
MAX_ROWS = 1001  # that are read for one seal, whatever it says
SALTING_TRIES = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class AuditLog:
    """Who did what to whom (PostgreSQL); rows are only ever added."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def newest(self, wanted: AuditFilter, limit: int, before_id: int | None) -> list[AuditEntry]:
        """Entries with ids below `before_id`, newest first."""
        of_request = {} if wanted.request_id is None else {"request_id": wanted.request_id}
        return self._read(
            "find_audit_entries_of_request" if of_request else "find_audit_entries",
            **of_request,
            user_id=wanted.user_id,
            action=wanted.action,
            actor=wanted.actor,
            since=_text(wanted.since),
            until=_text(wanted.until),
            before_id=_LAST_ID if before_id is None else before_id,
            limit=limit,
        )

    def page(self, since: datetime | None, until: datetime | None, after_id: int, limit: int) -> list[AuditEntry]:
        """Entries with ids above `after_id`, oldest first; `since` is included, `until` is not."""
        return self._read("audit_page", since=_text(since), until=_text(until), after_id=after_id, limit=limit)

    def additions(self, wanted: AuditFilter, after_id: int, up_to: int, limit: int) -> list[AuditEntry]:
        """Entries with ids above `after_id` up to `up_to`, oldest first; `user_id` is whom they are about, or who did it."""
        return self._read(
            "audit_additions",
            user_id=wanted.user_id,
            action=wanted.action,
            request_id=wanted.request_id,
            after_id=after_id,
            up_to=up_to,
            limit=limit,
        )

    def add_refusals(self, batch: RefusalBatch) -> int:
        """A row for each group, unless the batch is there already; answer how many rows that made.

        One transaction with the id of the batch: a second time writes nothing.
        """
        with self._pool.transaction("record_refusals") as session:
            if not session.run(statement("begin_refusal_batch"), batch_id=batch.batch_id):
                return 0
            groups = merged(_with_user_ids(batch.groups, session))
            session.run(
                statement("record_refusals"),
                actions=[LEFT_OUT if group.is_left_out else group.action for group in groups],
                actors=[RECORDER if group.is_left_out else group.actor for group in groups],
                user_ids=[group.user_id for group in groups],
                request_ids=[group.request_id for group in groups],
                source_ips=[group.source_ip for group in groups],
                details=[json.dumps(_detail(group)) for group in groups],
            )
        metrics.rows_inserted.of("audit_log").inc(len(groups))
        return len(groups)

    def _read(self, name: str, **parameters: Any) -> list[AuditEntry]:
        with self._pool.transaction("read_audit_log") as session:
            session.script("SET LOCAL plan_cache_mode = force_custom_plan")
            rows = session.run(statement(name), **parameters)
        return [_entry(row) for row in rows]


def _with_user_ids(groups: Sequence[RefusalGroup], session: Session) -> list[RefusalGroup]:
    """Names in place of which the ids of their owners stand; a name that nobody has is forgotten."""
    usernames = sorted({folded(group.username) for group in groups if group.username})
    known = dict(session.run(statement("find_user_ids"), usernames=usernames)) if usernames else {}
    return [
        replace(group, user_id=group.user_id or known.get(folded(group.username), ""), username="") if group.username else group
        for group in groups
    ]


def _detail(group: RefusalGroup) -> dict[str, Any]:
    refused = {"action": group.action} if group.is_left_out else {"addresses": group.address_prefix}
    return {
        **refused,
        "reason": group.reason,
        "count": group.count,
        "firstAt": utc_text(group.first_at),
        "lastAt": utc_text(group.last_at),
    }


def _entry(row: Sequence[Any]) -> AuditEntry:
    number, at, action, actor, user_id, request_id, source_ip, detail = row
    return AuditEntry(int(number), at.astimezone(UTC), action, actor, user_id, request_id, source_ip, _object(detail))


def _object(text: str) -> dict[str, Any]:
    """A detail as an object, whatever a row of an earlier version, or of a stranger, has in its place.

    What is no object is `{"value": ...}`, one that cannot be read `{"text": ...}`; numbers that clients cannot hold are texts.
    """
    try:
        detail = json.loads(text, parse_int=_number, parse_float=_fraction)
        json.dumps(detail, allow_nan=False)
    except (ValueError, RecursionError):
        return {"text": text[:MAX_UNREADABLE]}
    return detail if isinstance(detail, dict) else {"value": detail}


def _number(digits: str) -> int | str:
    return int(digits) if len(digits) <= MAX_DIGITS else digits


def _fraction(text: str) -> float | str:
    number = float(text)
    return number if isfinite(number) else text


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


class AuditSeals:
    """The chain of seals (PostgreSQL)."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def horizon(self) -> Horizon:
        """How far ids are given away, and which transactions may still bring rows with such ids.

        First the sequence, then the locks: whoever has taken an id by then is among the writers.
        """
        with self._pool.connection() as session:
            [[last_id]] = session.run("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM audit_log_id_seq")
            writers = session.run(statement("audit_writers"))
        return Horizon(int(last_id), frozenset(row[0] for row in writers))

    def still_writing(self, writers: frozenset[str]) -> frozenset[str]:
        """Those of these transactions that have not ended.

        A number is not used again while the one who had it may matter: it counts up in each session.
        """
        return writers & frozenset(row[0] for row in self._run(statement("audit_writers")))

    def end(self, writers: frozenset[str]) -> None:
        """End those of these transactions that are our own role's: none of ours lasts for as long as they were waited for.

        A role may end its own processes, and no other's.
        """
        self._run(statement("end_audit_writers"), writers=sorted(writers))

    def newest(self, limit: int = 1, below: int | None = None) -> list[Seal]:
        """Seals with numbers below this one, the highest first; some may be of a stranger's making."""
        return [read_seal(row) for row in self._run(statement("find_newest_seals"), below_seq=below, limit=limit)]

    def free_numbers(self, after: int) -> range:
        """The next numbers above this one that no seal has, at most MAX_SEQ."""
        [[first, taken]] = self._run(statement("free_seal_numbers"), after_seq=after)
        return range(int(first), min(MAX_SEQ + 1, int(taken or MAX_SEQ + 1)))

    def add_salts(self, after_id: int, up_to: int, rows: int) -> bool:
        """See to it that the next rows have the salts that `unsealed` hashes with.

        Another transaction that is about to add some and has not ended within a second is ended, if it is our own role's; False
        when that does not help.
        """
        for _ in range(SALTING_TRIES):
            [[is_there]] = self._run(statement("add_salts"), after_id=after_id, up_to=up_to, rows=rows)
            if is_there:
                return True
            self._run(statement("end_salt_writers"))
        return False

    def unsealed(self, after_id: int, up_to: int, rows_a_seal: int, seals: int) -> list[Content]:
        """What is to be sealed next: at most `seals` contents of at most `rows_a_seal` rows; the last one ends at `up_to`.

        Gaps between the ids belong to the content that comes after them, those at the end to the last one.
        """
        rows = self._run(statement("unsealed_contents"), after_id=after_id, up_to=up_to, rows_a_seal=rows_a_seal, seals=seals)
        is_all = sum(int(row[1]) for row in rows) < rows_a_seal * seals
        contents, first_id = [], after_id + 1
        for place, (last_id, row_count, content_hash, read_at) in enumerate(rows, 1):
            ends_at = up_to if is_all and place == len(rows) else int(last_id)
            contents.append(Content(first_id, ends_at, int(row_count), content_hash, read_at.astimezone(UTC)))
            first_id = ends_at + 1
        return contents

    def add(self, seals: Sequence[Seal]) -> bool:
        """Write all of them, or none when another transaction has, or is about to have, one of their numbers."""
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
        """Seals from this number on, in their order."""
        return [read_seal(row) for row in self._run(statement("find_seals"), from_seq=from_seq, limit=limit)]

    def contents(self, seals: Sequence[Seal], *, hashed: bool = False) -> list[Content]:
        """What stands in audit_log and its archive now where each of these says, in the format of each, or in format 2.

        No more than about twice a seal's rows are read for one.
        """
        rows = self._run(
            statement("seal_contents"),
            **_intervals(seals),
            are_hashed=[hashed or seal.content.format != 1 for seal in seals],
        )
        return [
            Content(seal.content.first_id, seal.content.last_id, int(row_count), content_hash, read_at.astimezone(UTC))
            for seal, (row_count, content_hash, read_at) in zip(seals, rows, strict=True)
        ]

    def clear_texts(self, seals: Sequence[Seal]) -> list[tuple[int, int]]:
        """Of the archived rows of each, how many personal values have no clear text any more, and how many not theirs."""
        rows = self._run(statement("check_clear_texts"), **_intervals(seals))
        return [(int(missing), int(changed)) for missing, changed in rows]

    def rows_outside(self, last_id: int) -> tuple[int, int]:
        """How many rows have an id of 0 or below, which is never given, and how many one above `last_id`."""
        [[below, above]] = self._run(
            "SELECT (SELECT count(*) FROM audit_log WHERE id <= 0),"
            " (SELECT count(*) FROM audit_log WHERE id > CAST(:last_id AS bigint))",
            last_id=last_id,
        )
        return int(below), int(above)

    def _run(self, sql: str, **parameters: Any) -> list[list[Any]]:
        with self._pool.connection(ANSWER_SECONDS) as session:
            return session.run(sql, **parameters)


def _intervals(seals: Sequence[Seal]) -> dict[str, list[int]]:
    return {
        "first_ids": [seal.content.first_id for seal in seals],
        "last_ids": [seal.content.last_id for seal in seals],
        "limits": [min(max(1, 2 * seal.content.row_count + 1), MAX_ROWS) for seal in seals],
    }


def read_seal(row: Sequence[Any]) -> Seal:
    """A row of find_seals.sql."""
    seq, first_id, last_id, row_count, content_hash, sealed_at, previous_hash, hash_text, key_id, mac = row
    content = Content(int(first_id), int(last_id), int(row_count), content_hash, sealed_at.astimezone(UTC))
    return Seal(int(seq), content, previous_hash, hash_text, Signature(key_id, mac))
