"""GET /api/boards: the boards there are."""

from __future__ import annotations

from shared.audit.note_refusal import audited
from shared.boards.read_boards import list_boards, seen_with
from shared.container import container
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
@audited("board_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Those that are public, all with a token, and with a server key also those that it is good for."""
    deps = container()
    token = request.bearer_token if "authorization" in request.headers else None
    is_seen = seen_with(token, deps.authenticate, deps)
    return Reply.ok(list_boards(deps.main_board, deps.boards, deps.shards, is_seen))
