"""The audit log on PostgreSQL: read by whoever may, and the way into it for refusals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from shared.audit.entries import AuditEntry, AuditFilter
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


class PostgresAuditLog:
    """The port AuditLog."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def newest(self, wanted: AuditFilter, limit: int, before_id: int | None) -> list[AuditEntry]:
        """By the index that fits what is wanted."""
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
        """By the primary key."""
        return self._read("audit_page", since=_text(since), until=_text(until), after_id=after_id, limit=limit)

    def additions(self, wanted: AuditFilter, after_id: int, up_to: int, limit: int) -> list[AuditEntry]:
        """By the primary key."""
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
        """One transaction with the id of the batch: a second time writes nothing."""
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
