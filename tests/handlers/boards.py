"""Boards beside `main`, for tests of handlers."""

from __future__ import annotations

import secrets
from typing import Any

from shared.boards.definition import BoardDefinition
from shared.container import Container
from shared.stores.actor import Actor
from tests.handlers.events import HandlerReply, call
from tests.handlers.players import Player

ADD_ENTRY = "POST /api/boards/{board}/scores/{user_id}"
WEEKLY = [{"name": "all_time"}, {"name": "weekly", "cron": "0 0 * * 1"}]


def define_board(deployed: Container, **members: Any) -> str:
    """A new board's id; members as in the API."""
    board_id = f"board-{secrets.token_hex(6)}"
    deployed.boards.put(BoardDefinition.parse(board_id, {"title": "A board", **members}), Actor("test"))
    return board_id


def add_entry(board_id: str, player: Player, body: object, **headers: str) -> HandlerReply:
    """POST an entry of the player's own; header names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return call(
        "add_entry",
        ADD_ENTRY,
        path_parameters={"board": board_id, "user_id": player.user_id},
        headers={**player.authorization, **named},
        body=body,
    )
