"""GET /api/boards/{board}/scores/{user_id}: where a player stands in every period, and who stands around."""

from __future__ import annotations

from shared.accounts.player import Caller
from shared.audit.note_refusal import audited
from shared.boards.get_board_place import DEFAULT_NEIGHBOURS, MAX_NEIGHBOURS, get_board_place
from shared.boards.read_rows import reader_of
from shared.container import container
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler(query=("neighbours",))
@audited("scores_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Anybody may read a public board, and whoever has a valid token any other."""
    deps = container()
    neighbours = request.integer("neighbours", DEFAULT_NEIGHBOURS, 0, MAX_NEIGHBOURS)
    user_id, board_id = request.path_parameters["user_id"], request.path_parameters["board"]

    def identify() -> Caller | None:
        return reader_of(request.bearer_token, board_id, deps.identify, deps)

    place = deps.shards.at(board_id, lambda shard: get_board_place(user_id, board_id, neighbours, identify, shard.board_reading))
    return Reply.ok(place)
