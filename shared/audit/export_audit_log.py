"""The audit log in the order it was written, a part at a time, for archives and auditors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared.audit.get_audit_log import entry_as_json, fitting, parse_instant
from shared.core.cursor import MAX_ID
from shared.core.errors import InvalidParameter

if TYPE_CHECKING:
    from shared.audit.postgresql import AuditLog


ENTRIES_AT_ONCE = 2000


def export_audit_log(wanted: Mapping[str, Any], audit_log: AuditLog) -> dict[str, Any]:
    """Read `{"from", "to", "after"}`, all optional; answer `{"entries": [...], "after": id}` to go on from, null at the end.

    Raises InvalidParameter.
    """
    after = wanted.get("after", 0)
    if type(after) is not int or not 0 <= after <= MAX_ID:
        raise InvalidParameter(f"`after` must be the id of an entry: a whole number from 0 to {MAX_ID}.")
    since, until = parse_instant(wanted, "from"), parse_instant(wanted, "to")
    if since is not None and until is not None and since >= until:
        raise InvalidParameter("`from` must be before `to`.")
    entries = audit_log.page(since, until, after, ENTRIES_AT_ONCE)
    part = fitting(entries)
    more = len(entries) == ENTRIES_AT_ONCE or len(part) < len(entries)
    return {"entries": [entry_as_json(entry) for entry in part], "after": part[-1].id if more else None}
