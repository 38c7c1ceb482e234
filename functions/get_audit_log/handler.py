"""GET /api/admin/audit-log: who did what to whom, newest first."""

from __future__ import annotations

from shared.audit.get_audit_log import DEFAULT_LIMIT, MAX_LIMIT, get_audit_log, parse_filter
from shared.container import container
from shared.container.admin import admin_handler
from shared.stores.actor import Actor
from shared.transport.http import HttpRequest, Reply


@admin_handler(
    "audit_log_refused",
    query=(
        "userId",
        "action",
        "actor",
        "requestId",
        "from",
        "to",
        "limit",
        "cursor",
    ),
)
def lambda_handler(request: HttpRequest, admin: Actor) -> Reply:
    """For admins."""
    deps = container()
    limit = request.integer("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    cursor = request.query.get("cursor", "")
    return Reply.document(get_audit_log(parse_filter(request.query), limit, cursor, deps.audit_log, deps.users))
