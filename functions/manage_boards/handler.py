"""List, show, plan, apply, reset or delete boards; for operators (`boards`), no trigger leads here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.boards.apply_boards import apply_boards
from shared.boards.define_board import delete_board
from shared.boards.read_boards import get_board, list_boards
from shared.boards.reset_board import reset_board
from shared.container import container
from shared.core.errors import InvalidParameter
from shared.core.ids import new_request_id
from shared.ledger.catch_up import catch_up
from shared.stores.actor import Actor
from shared.transport.direct import direct_handler

OPERATOR = Actor("operator")


@direct_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """`{"action": "list"}`, `{"action": "show" or "delete", "id"}`, `{"action": "plan" or "apply", "boards": {…}}`,
    `{"action": "reset", "id", "period"}`.
    """
    deps = container()
    board_id = str(event.get("id", ""))
    match event.get("action"):
        case "list":
            return {"data": list_boards(deps.main_board, deps.known_boards)}
        case "show":
            return get_board(board_id, deps.main_board, deps.known_boards, lambda: OPERATOR)
        case "delete":
            delete_board(board_id, OPERATOR, deps.boards, deps.known_boards)
            return {}
        case "reset":
            asked = {"period": event.get("period")}
            return reset_board(board_id, asked, OPERATOR, new_request_id(), deps.known_boards, deps.board_stores)
        case "plan":
            return apply_boards(event.get("boards"), deps.boards, deps.known_boards, lambda: catch_up(deps.pipeline))
        case "apply":
            return apply_boards(event.get("boards"), deps.boards, deps.known_boards, lambda: catch_up(deps.pipeline), OPERATOR)
    raise InvalidParameter("`action` must be `list`, `show`, `delete`, `reset`, `plan` or `apply`.")
