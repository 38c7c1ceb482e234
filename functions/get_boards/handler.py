"""GET /api/boards: the boards there are."""

from __future__ import annotations

from shared.audit.note_refusal import audited
from shared.boards.read_boards import list_boards
from shared.container import container
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
@audited("board_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Those that are public, or all with a token."""
    deps = container()
    is_known = "authorization" in request.headers
    if is_known:
        deps.authenticate(request.bearer_token)
    return Reply.ok(list_boards(deps.main_board, deps.boards, deps.shards, only_public=not is_known))
