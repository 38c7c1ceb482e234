"""GET /api/boards/{board}/scores: rows of a board at any depth, in any season."""

from __future__ import annotations

from shared.accounts.player import Caller
from shared.audit.note_refusal import audited
from shared.boards.get_board_scores import DEFAULT_LIMIT, MAX_LIMIT, MAX_RANK, PageWanted, get_board_scores
from shared.boards.read_rows import MAX_SEASON, reader_of
from shared.container import container
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler(query=("period", "season", "limit", "cursor", "around", "rank", "metadata"))
@audited("scores_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Anybody may read a public board, and whoever has a valid token any other."""
    deps = container()
    board_id = request.path_parameters["board"]
    wanted = PageWanted.parse(
        board_id,
        request.query.get("period", ""),
        request.integer("season", 0, 1, MAX_SEASON),
        request.integer("limit", DEFAULT_LIMIT, 1, MAX_LIMIT),
        cursor=request.query.get("cursor", ""),
        around=request.query.get("around", ""),
        rank=request.integer("rank", 0, 1, MAX_RANK),
        with_metadata=request.flag("metadata"),
    )

    def identify() -> Caller | None:
        return reader_of(request.bearer_token, board_id, deps.identify, deps)

    page = deps.shards.at(board_id, lambda shard: get_board_scores(board_id, wanted, identify, shard.board_reading))
    return Reply.document(page)
