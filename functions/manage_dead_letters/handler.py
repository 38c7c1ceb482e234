"""List, show, redrive or discard dead letters; for operators (`dead-letters`), no trigger leads here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.container import container
from shared.core.errors import InvalidParameter
from shared.ledger.discard_dead_letters import discard_dead_letters, parse_discard
from shared.ledger.read_dead_letters import list_dead_letters, parse_limit, parse_name, show_dead_letter
from shared.ledger.redrive_dead_letters import parse_choice, redrive_dead_letters
from shared.stores.actor import OPERATOR
from shared.transport.direct import direct_handler

WAIT_SECONDS = 60.0


@direct_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """`{"action": "list", "limit"?, "cursor"?, "state"?}`, `{"action": "show", "id"}`, `{"action": "redrive", "limit"?, "ids"?,
    "requestIds"?, "waitSeconds"?}` or `{"action": "discard", "ids" | "requestIds" | "all", "reason"}`; errors escape.
    """
    deps = container()
    match event.get("action"):
        case "list":
            limit, cursor, state = parse_limit(event), event.get("cursor", ""), event.get("state", "")
            return list_dead_letters(limit, cursor, state, deps.letters, deps.users)
        case "show":
            return show_dead_letter(parse_name(str(event.get("id"))), deps.letters, deps.users)
        case "redrive":
            return redrive_dead_letters(parse_choice(event), OPERATOR, deps.letters, _wait_seconds(event))
        case "discard":
            return discard_dead_letters(*parse_discard(event), OPERATOR, deps.letters)
    raise InvalidParameter("`action` must be `list`, `show`, `redrive` or `discard`.")


def _wait_seconds(event: Mapping[str, Any]) -> float:
    seconds = event.get("waitSeconds", WAIT_SECONDS)
    if type(seconds) not in {int, float} or not 0 <= seconds <= 240:
        raise InvalidParameter("`waitSeconds` must be a number from 0 to 240.")
    return float(seconds)
