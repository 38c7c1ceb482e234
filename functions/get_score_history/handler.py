"""GET /api/score/{user_id}/history: every update of a player, newest first."""

from __future__ import annotations

from shared.audit.note_refusal import audited
from shared.container import container
from shared.ledger.get_score_history import DEFAULT_LIMIT, MAX_LIMIT, get_score_history
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler(
    query=(
        "limit",
        "cursor",
    )
)
@audited("history_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """For that player, or an admin."""
    deps = container()
    caller = deps.authenticate(request.bearer_token)
    limit = request.integer("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    cursor = request.query.get("cursor", "")
    user_id = request.path_parameters["user_id"]
    return Reply.document(get_score_history(user_id, limit, cursor, caller, deps.ledger, deps.users))
