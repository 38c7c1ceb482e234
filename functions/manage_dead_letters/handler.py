"""List or redrive dead letters; for operators (`dead-letters`), no trigger leads here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.errors import InvalidParameter
from shared.services.list_dead_letters import list_dead_letters, parse_limit
from shared.services.redrive_dead_letters import Redrive, redrive_dead_letters
from shared.transport.direct import direct_handler
from shared.wiring import container


@direct_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """`{"action": "list", "limit"?}` or `{"action": "redrive", "limit"?, "requestIds"?}`; errors escape."""
    deps = container()
    if event.get("action") == "list":
        return list_dead_letters(parse_limit(event), deps.dead_letters, deps.users)
    if event.get("action") == "redrive":
        return redrive_dead_letters(Redrive.parse(event, actor="operator"), deps.dead_letters, deps.ledger)
    raise InvalidParameter("`action` must be `list` or `redrive`.")
