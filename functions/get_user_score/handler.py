"""GET /api/score/{user_id}: a player's place, score and neighbours."""

from __future__ import annotations

from shared.audit.note_refusal import audited
from shared.boards.read_board import DEFAULT_NEIGHBOURS, MAX_NEIGHBOURS, get_user_score
from shared.container import container
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler(query=("neighbours",))
@audited("scores_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Any valid token will do."""
    deps = container()
    caller = deps.identify(request.bearer_token)
    neighbours = request.integer("neighbours", DEFAULT_NEIGHBOURS, 0, MAX_NEIGHBOURS)
    user_id = request.path_parameters["user_id"]
    return Reply.ok(get_user_score(user_id, neighbours, caller, deps.leaderboard, deps, deps.names))
