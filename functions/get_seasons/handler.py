"""GET /api/boards/{board}/seasons: the seasons of a board, newest first."""

from __future__ import annotations

from shared.accounts.player import Caller
from shared.audit.note_refusal import audited
from shared.boards.get_seasons import DEFAULT_LIMIT, MAX_LIMIT, SeasonPage, get_seasons
from shared.boards.read_rows import reader_of
from shared.container import container
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler(
    query=(
        "period",
        "limit",
        "cursor",
    )
)
@audited("board_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """A public board's need no token."""
    deps = container()
    limit = request.integer("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    asked = SeasonPage(request.query.get("period", ""), limit, request.query.get("cursor", ""))
    board_id = request.path_parameters["board"]

    def identify() -> Caller | None:
        return reader_of(request.bearer_token, board_id, deps.authenticate, deps)

    is_public = deps.settings.public_leaderboard
    page = deps.shards.at(
        board_id,
        lambda shard: get_seasons(board_id, asked, identify, shard.known_boards, shard.board_stores, main_is_public=is_public),
    )
    return Reply.document(page)
