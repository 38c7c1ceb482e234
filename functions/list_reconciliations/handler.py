"""GET /api/admin/reconciliations: the runs, and what they found."""

from __future__ import annotations

from shared.audit.note_refusal import audited
from shared.container import container
from shared.reconciliation.list_reconciliations import DEFAULT_LIMIT, MAX_LIMIT, list_reconciliations
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
@audited("reconciliation_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """For admins, newest first."""
    deps = container()
    deps.authenticate(request.bearer_token).must_be_admin()
    limit = request.integer("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    cursor = request.query.get("cursor", "")
    return Reply.document(list_reconciliations(limit, cursor, deps.reconciliations, deps.users))
