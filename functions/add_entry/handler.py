"""POST /api/boards/{board}/scores/{user_id}: add an entry of the caller's own to a board."""

from __future__ import annotations

from shared.audit.note_refusal import audited
from shared.boards.add_entry import add_entry
from shared.boards.definition import BoardDefinition
from shared.boards.entry import ScoreEntry
from shared.boards.parse_entries import parse_entry, writer_of
from shared.boards.update_score import spend_ticket
from shared.container import container
from shared.stores.idempotency import checked_key
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
@audited("score_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """From the player or, where the board says so, the game's server. Answer 200 with the receipt and the limit's headers."""
    deps = container()
    writer = writer_of(request.bearer_token, deps.identify)
    user_id, body = request.path_parameters["user_id"], request.json_object()
    api_key, key = request.headers.get("x-api-key"), checked_key(request.headers.get("idempotency-key"))
    board_id = request.path_parameters["board"]

    def judge(board: BoardDefinition) -> ScoreEntry:
        return parse_entry(user_id, body, writer, request.source_ip, board, api_key=api_key, key=key)

    command = deps.shards.at(board_id, lambda shard: shard.known_boards.judged(board_id, judge))
    required = deps.settings.require_action_ticket and command.server_key is None
    command = spend_ticket(command, request.headers.get("x-action-ticket"), deps.ticket_signer, required=required)
    receipt = add_entry(command, deps.shards)
    return Reply.ok(receipt.as_json(), headers=receipt.headers())
