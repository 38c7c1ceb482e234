"""POST /api/boards/{board}/scores: entries of several players, from the game's server."""

from __future__ import annotations

from shared.audit.note_refusal import audited
from shared.boards.add_entry import add_batch
from shared.boards.definition import BoardDefinition
from shared.boards.entry import ScoreEntry
from shared.boards.parse_entries import parse_batch, writer_of
from shared.container import container
from shared.core.errors import ScoreboardError
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
@audited("score_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Answer 200 with what became of each entry."""
    deps = container()
    writer = writer_of(request.bearer_token, deps.authenticate)
    board_id, body = request.path_parameters["board"], request.json_object()

    def judge(board: BoardDefinition) -> list[ScoreEntry | ScoreboardError]:
        return parse_batch(body, writer, request.source_ip, board, idempotency_key=request.headers.get("idempotency-key"))

    commands = deps.shards.at(board_id, lambda shard: shard.known_boards.judged(board_id, judge))
    return Reply.ok(add_batch(commands, deps.shards))
