"""DELETE /api/boards/{board}: nobody reads or writes it any more; for admins, and servers with a key for it."""

from __future__ import annotations

from shared.boards.define_board import delete_board, forget_board
from shared.container import container
from shared.container.admin import admin_handler
from shared.stores.actor import Actor
from shared.stores.answer_once import answer_once, keyed
from shared.transport.http import HttpRequest, Reply


@admin_handler("board_change_refused", scope="boards")
def lambda_handler(request: HttpRequest, admin: Actor) -> Reply:
    """Answer 204; the ledger keeps its entries."""
    deps = container()
    board_id = request.path_parameters["board"]
    answer = answer_once(
        keyed(request, admin.name),
        deps,
        lambda attempt: delete_board(board_id, admin, deps.boards, deps.shards, attempt),
        complete=lambda _: forget_board(board_id, deps.shards),
    )
    return Reply.no_content(answer.headers)
