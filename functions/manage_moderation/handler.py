"""Hide players, correct their scores, and see what was decided; for operators (`moderate`), no trigger leads here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from shared.accounts.find_users import user_named
from shared.accounts.player import Caller
from shared.boards.board import MAIN
from shared.boards.get_board_entries import DEFAULT_LIMIT as ENTRIES
from shared.boards.get_board_entries import get_board_entries
from shared.boards.moderate_players import DEFAULT_LIMIT as DECISIONS
from shared.boards.moderate_players import list_moderation
from shared.container import container
from shared.ledger.get_score_history import get_score_history
from shared.reconciliation.moderate import moderate, parse_moderation
from shared.stores.actor import OPERATOR
from shared.transport.direct import direct_handler

READER = Caller(OPERATOR.name, "admin", datetime.max.replace(tzinfo=UTC))


@direct_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """`{"action": "list", "board", "user"?, "cursor"?}`, `{"action": "entries", "board", "user", "cursor"?}`, or what POST
    …/moderation takes, with `"board"`. `user` is the name or the id of a player, and may stand in the place of `userId`.
    """
    deps = container()
    asked = dict(event)
    board_id, user, cursor = str(asked.pop("board", "")), asked.pop("user", None), str(asked.get("cursor", ""))
    if user is not None:
        asked["userId"] = user_named(str(user), deps.users).user_id
    match asked.get("action"):
        case "list":
            user_id = str(asked.get("userId", ""))
            return list_moderation(board_id, user_id, cursor, DECISIONS, deps)
        case "entries":
            page = str(asked.get("userId", "")), ENTRIES, cursor, READER
            if board_id == MAIN.board_id:
                return get_score_history(*page, deps.ledger, deps.users)
            return get_board_entries(board_id, *page, deps.boards, deps.users)
    return moderate(parse_moderation(board_id, asked, deps), OPERATOR, deps)
