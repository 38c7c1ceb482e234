"""POST /api/score/{user_id}: raise the caller's own score."""

from __future__ import annotations

from shared.audit.note_refusal import audited
from shared.boards.update_score import parse_update, spend_ticket, update_score
from shared.container import container
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
@audited("score_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Answer 200 with the receipt and the rate limit's headers."""
    deps = container()
    caller = deps.identify(request.bearer_token)
    user_id = request.path_parameters["user_id"]
    command = parse_update(
        user_id,
        request.json_object(),
        caller,
        request.source_ip,
        deps.board,
        api_key=request.headers.get("x-api-key"),
        idempotency_key=request.headers.get("idempotency-key"),
    )
    ticket, required = request.headers.get("x-action-ticket"), deps.settings.require_action_ticket
    command = spend_ticket(command, ticket, deps.ticket_signer, required=required)
    receipt = update_score(command, deps.leaderboard, deps.hidden_players, deps, deps.ledger, deps.publisher)
    return Reply.ok(receipt.as_json(), headers=receipt.headers())
