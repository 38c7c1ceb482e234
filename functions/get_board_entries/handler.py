"""GET /api/boards/{board}/scores/{user_id}/entries: every entry of a player on a board, newest first."""

from __future__ import annotations

from shared.audit.note_refusal import audited
from shared.boards.get_board_entries import DEFAULT_LIMIT, MAX_LIMIT, get_board_entries
from shared.container import container
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler(query=("limit", "cursor"))
@audited("history_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """For that player, or an admin."""
    deps = container()
    caller = deps.authenticate(request.bearer_token)
    limit = request.integer("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    cursor = request.query.get("cursor", "")
    user_id, board_id = request.path_parameters["user_id"], request.path_parameters["board"]
    return Reply.document(get_board_entries(board_id, user_id, limit, cursor, caller, deps.boards, deps.users))
