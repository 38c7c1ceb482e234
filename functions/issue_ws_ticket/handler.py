"""POST /api/ws-tickets: a ticket for one WebSocket handshake."""

from __future__ import annotations

from shared.services.issue_ws_ticket import issue_ws_ticket
from shared.services.note_refusal import audited
from shared.transport.http import HttpRequest, Reply, http_handler
from shared.wiring import container


@http_handler
@audited("ws_ticket_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Answer 201 with the ticket and how long it is good."""
    deps = container()
    caller = deps.authenticate(request.bearer_token)
    return Reply.created(issue_ws_ticket(caller, deps.request_limits, deps.ws_tickets).as_json())
