"""GET /api/boards/{board}: what a board is, and its open seasons."""

from __future__ import annotations

from shared.accounts.player import Caller
from shared.audit.note_refusal import audited
from shared.boards.read_boards import get_board
from shared.boards.read_rows import reader_of
from shared.container import container
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
@audited("board_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """A public one needs no token."""
    deps = container()
    board_id = request.path_parameters["board"]

    def identify() -> Caller | None:
        return reader_of(request.bearer_token, board_id, deps.authenticate, deps)

    board = deps.shards.at(board_id, lambda shard: get_board(board_id, deps.main_board, shard.known_boards, identify))
    return Reply.ok(board)
