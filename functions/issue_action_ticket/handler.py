"""POST /api/score/{user_id}/tickets: a ticket for the caller's next update."""

from __future__ import annotations

from shared.audit.note_refusal import audited
from shared.boards.action_tickets import issue_action_ticket
from shared.container import container
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
@audited("action_ticket_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Answer 201 with the ticket, its request id and when it expires."""
    deps = container()
    caller = deps.authenticate(request.bearer_token)
    signed = issue_action_ticket(request.path_parameters["user_id"], caller, deps.request_limits, deps.ticket_signer, deps.clock)
    return Reply.created(signed.as_json())
