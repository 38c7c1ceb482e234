"""PUT /api/boards/{board}: make a board, or change it; for admins, and servers with a key for it."""

from __future__ import annotations

from typing import Any

from shared.boards.define_board import parse_board, put_board
from shared.container import container
from shared.container.admin import admin_handler
from shared.stores.actor import Actor
from shared.stores.answer_once import answer_once, keyed
from shared.stores.idempotency import Attempt
from shared.transport.http import HttpRequest, Reply


@admin_handler("board_change_refused", scope="boards")
def lambda_handler(request: HttpRequest, admin: Actor) -> Reply:
    """Answer 201 with a board that is new, 200 with one that was there, as it is now."""
    deps = container()
    body = request.json_object()
    definition = parse_board(request.path_parameters["board"], body)

    def put(_: Attempt) -> dict[str, Any]:
        return deps.shards.at(
            definition.board_id,
            lambda shard: put_board(definition, admin, shard.boards, shard.known_boards, deps.catch_up_everywhere),
        )

    answer = answer_once(keyed(request, admin.name, body), deps, put, is_claimed=True)
    reply = Reply.created if answer.data["isNew"] else Reply.ok
    return reply(answer.data["board"], headers=answer.headers)
