"""For operators (`boards`): the boards there are, and changes of them; no trigger leads here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.boards.apply_boards import apply_boards
from shared.boards.define_board import delete_board
from shared.boards.read_boards import get_board, list_boards
from shared.boards.reset_board import reset_board
from shared.container import Container, container
from shared.core.errors import InvalidParameter
from shared.core.ids import new_request_id
from shared.reconciliation.move_board import move_board
from shared.stores.actor import OPERATOR
from shared.transport.direct import direct_handler


@direct_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """`{"action": "list"}`, `{"action": "show" or "delete", "id"}`, `{"action": "plan" or "apply", "boards": {…}}`,
    `{"action": "reset", "id", "period"}`, `{"action": "move", "id", "shard"}`. Where there are several shards each board says in
    which one it is.
    """
    deps = container()
    board_id = str(event.get("id", ""))
    match event.get("action"):
        case "list":
            return {"data": _with_shards(list_boards(deps.main_board, deps.boards, deps.shards), deps)}
        case "show":
            found = deps.shards.at(
                board_id, lambda shard: get_board(board_id, deps.main_board, shard.known_boards, lambda: OPERATOR)
            )
            return _with_shards([found], deps)[0]
        case "delete":
            delete_board(board_id, OPERATOR, deps.boards, deps.shards)
            return {}
        case "reset":
            asked = board_id, {"period": event.get("period")}, OPERATOR, new_request_id()
            return deps.shards.at(board_id, lambda shard: reset_board(*asked, shard.known_boards, shard.board_stores))
        case "move":
            return move_board(board_id, str(event.get("shard", "")), OPERATOR, deps.shards, deps.boards)
        case "plan":
            return apply_boards(event.get("boards"), deps.shards, deps.catch_up_everywhere)
        case "apply":
            return apply_boards(event.get("boards"), deps.shards, deps.catch_up_everywhere, OPERATOR)
    raise InvalidParameter("`action` must be `list`, `show`, `delete`, `reset`, `move`, `plan` or `apply`.")


def _with_shards(boards: list[dict[str, Any]], deps: Container) -> list[dict[str, Any]]:
    if not deps.further_shards:
        return boards
    places = deps.boards.places()
    first = deps.shards.first.name
    return [{**board, "shard": places[board["id"]].shard if board["id"] in places else first} for board in boards]
