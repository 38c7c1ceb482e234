"""POST /api/boards/{board}/scores/query: where some players stand, among themselves and among all."""

from __future__ import annotations

from shared.accounts.player import Caller
from shared.audit.note_refusal import audited
from shared.boards.query_board_scores import PlayersWanted, query_board_scores
from shared.boards.read_rows import reader_of
from shared.container import container
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
@audited("scores_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Anybody may read a public board, and whoever has a valid token any other; nothing is changed."""
    deps = container()
    wanted = PlayersWanted.parse(request.json_object())
    board_id = request.path_parameters["board"]

    def identify() -> Caller | None:
        return reader_of(request.bearer_token, board_id, deps.identify, deps)

    page = deps.shards.at(board_id, lambda shard: query_board_scores(board_id, wanted, identify, shard.board_reading))
    return Reply.document(page)
