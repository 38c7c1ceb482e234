"""POST /api/boards/{board}/reset: end a season now; for admins, and servers with a key for it."""

from __future__ import annotations

from typing import Any

from shared.boards.reset_board import reset_board
from shared.container import container
from shared.container.admin import admin_handler
from shared.stores.actor import Actor
from shared.stores.answer_once import answer_once, keyed
from shared.stores.idempotency import Attempt, key_hash
from shared.transport.http import HttpRequest, Reply


@admin_handler("board_change_refused", scope="boards")
def lambda_handler(request: HttpRequest, admin: Actor) -> Reply:
    """`{"period"?}`: answer the season that ended and the one that began."""
    deps = container()
    body = request.json_object()
    asked = keyed(request, admin.name, body)
    name = request.request_id if asked.key is None else key_hash(asked.scope, asked.key)
    board_id = request.path_parameters["board"]

    def reset(attempt: Attempt) -> dict[str, Any]:
        return deps.shards.at(
            board_id,
            lambda shard: reset_board(board_id, body, admin, name, shard.known_boards, shard.board_stores, attempt),
        )

    answer = answer_once(asked, deps, reset)
    return Reply.ok(answer.data, headers=answer.headers)
