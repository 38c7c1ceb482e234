"""The audit log, newest first, page by page, for those who answer for the game."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shared.accounts.find_users import name_users
from shared.audit.entries import AuditEntry, AuditFilter
from shared.core.clock import utc_text
from shared.core.cursor import make_cursor, read_cursor
from shared.core.errors import InvalidParameter
from shared.core.ids import canonical_id

if TYPE_CHECKING:
    from shared.accounts.postgresql import Users
    from shared.audit.postgresql import AuditLog


DEFAULT_LIMIT, MAX_LIMIT = 50, 200
MAX_FILTER_LENGTH = 64
MAX_ANSWER_BYTES = 2_000_000


def parse_filter(query: Mapping[str, Any]) -> AuditFilter:
    """Read `userId`, `action`, `actor`, `requestId`, `from` (included) and `to` (not included); raises InvalidParameter."""
    return AuditFilter(
        user_id=parse_id(query, "userId"),
        action=parse_name(query, "action"),
        actor=parse_id(query, "actor"),
        request_id=parse_id(query, "requestId"),
        since=parse_instant(query, "from"),
        until=parse_instant(query, "to"),
    )


def parse_instant(query: Mapping[str, Any], name: str) -> datetime | None:
    """An instant with its zone (RFC 3339) or a day (UTC); None when it is not given; raises InvalidParameter."""
    raw = query.get(name)
    if raw is None:
        return None
    try:
        at = datetime.fromisoformat(raw)
        if at.tzinfo is None:
            at = datetime.strptime(raw, "%Y-%m-%d").replace(tzinfo=UTC)
        return at.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        raise InvalidParameter(
            f"`{name}` must be an instant such as 2026-01-31T12:00:00Z, or a day such as 2026-01-31."
        ) from None


def get_audit_log(wanted: AuditFilter, limit: int, cursor: str, audit_log: AuditLog, users: Users) -> dict[str, Any]:
    """`{"data": [...], "nextCursor": ..., "usernames": {...}}`; raises InvalidParameter."""
    entries = audit_log.newest(wanted, limit + 1, read_cursor(cursor))
    page = fitting(entries[:limit])
    more = len(entries) > len(page)
    return {
        "data": [entry_as_json(entry) for entry in page],
        "nextCursor": make_cursor(page[-1].id) if more else None,
        "usernames": name_users((user_id for entry in page for user_id in (entry.actor, entry.user_id)), users),
    }


def entry_as_json(entry: AuditEntry) -> dict[str, Any]:
    """An entry in the words of the API."""
    return {
        "id": entry.id,
        "at": utc_text(entry.at),
        "action": entry.action,
        "actor": entry.actor,
        "userId": entry.user_id,
        "requestId": entry.request_id,
        "sourceIp": entry.source_ip,
        "detail": entry.detail,
    }


def fitting(entries: Sequence[AuditEntry]) -> Sequence[AuditEntry]:
    """The first of these that fit into one answer, at least one: answers are bounded, and what is in an entry may be long."""
    size = 0
    for number, entry in enumerate(entries):
        size += len(json.dumps(entry_as_json(entry)))
        if size > MAX_ANSWER_BYTES and number:
            return entries[:number]
    return entries


def parse_name(query: Mapping[str, Any], name: str) -> str | None:
    """A text to look for; None when it is not given; raises InvalidParameter."""
    value = query.get(name)
    if value is not None and (
        not isinstance(value, str) or not value or len(value) > MAX_FILTER_LENGTH or not value.isprintable()
    ):
        raise InvalidParameter(f"`{name}` must be a text of 1 to {MAX_FILTER_LENGTH} characters.")
    return value


def parse_id(query: Mapping[str, Any], name: str) -> str | None:
    """The same of an id, in its canonical form."""
    value = parse_name(query, name)
    return None if value is None else canonical_id(value)
