"""GET /api/admin/overview: how things stand."""

from __future__ import annotations

from shared.audit.note_refusal import audited
from shared.container import container
from shared.operations.get_overview import get_overview
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
@audited("overview_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """For admins; totals, from whose differences rates are made."""
    deps = container()
    deps.authenticate(request.bearer_token).must_be_admin()
    return Reply.ok(get_overview(deps.board_gauge, deps.queue_gauge, deps.ledger_gauge, deps.clock))
