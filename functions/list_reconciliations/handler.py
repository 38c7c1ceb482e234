"""GET /api/admin/reconciliations: the runs, and what they found."""

from __future__ import annotations

from shared.container import container
from shared.container.admin import admin_handler
from shared.reconciliation.list_reconciliations import DEFAULT_LIMIT, MAX_LIMIT, list_reconciliations
from shared.stores.actor import Actor
from shared.transport.http import HttpRequest, Reply


@admin_handler(
    "reconciliation_refused",
    query=(
        "limit",
        "cursor",
    ),
)
def lambda_handler(request: HttpRequest, admin: Actor) -> Reply:
    """For admins, newest first."""
    deps = container()
    limit = request.integer("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    cursor = request.query.get("cursor", "")
    return Reply.document(list_reconciliations(limit, cursor, deps.reconciliations, deps.users))
