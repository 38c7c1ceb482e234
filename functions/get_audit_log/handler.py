"""GET /api/admin/audit-log: who did what to whom, newest first."""

from __future__ import annotations

from shared.audit.get_audit_log import DEFAULT_LIMIT, MAX_LIMIT, get_audit_log, parse_filter
from shared.audit.note_refusal import audited
from shared.container import container
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
@audited("audit_log_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """For admins."""
    deps = container()
    caller = deps.authenticate(request.bearer_token)
    caller.must_be_admin()
    limit = request.integer("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    cursor = request.query.get("cursor", "")
    return Reply.document(get_audit_log(parse_filter(request.query), limit, cursor, caller, deps.audit_log, deps.users))
