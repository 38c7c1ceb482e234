"""GET /api/scores: the top of the board, at most 5 s old."""

from __future__ import annotations

from shared.services.get_scores import MAX_TOP, TOP, get_scores
from shared.services.note_refusal import audited
from shared.transport.http import HttpRequest, Reply, http_handler
from shared.wiring import container


@http_handler
@audited("scores_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Answer `{"data": [...], "cache_time": "..."}`, exactly as specified."""
    deps = container()
    caller = None if deps.settings.public_leaderboard else deps.identify(request.bearer_token)
    limit = request.integer("limit", TOP, 1, MAX_TOP)
    return Reply.document(get_scores(limit, caller, deps.leaderboard, deps.board_cache, deps, deps.clock))
