"""GET /api/scores: the top of the board, at most 5 s old."""

from __future__ import annotations

from shared.audit.note_refusal import audited
from shared.container import container
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler(query=("limit",))
@audited("scores_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Answer `{"data": [...], "cache_time": "..."}`, exactly as specified, or 304 to who has that already."""
    deps = container()
    caller = None if deps.settings.public_leaderboard else deps.identify(request.bearer_token)
    limit = request.integer("limit", deps.board.top, 1, deps.board.max_top)
    document = deps.prepared_boards.get(limit, caller)
    return Reply.tagged(document.body, document.etag, request.headers.get("if-none-match"))
