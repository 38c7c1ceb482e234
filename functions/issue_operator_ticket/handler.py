"""A ticket for one WebSocket handshake of somebody without an account; for operators (`top`), no trigger leads here."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from shared.container import container
from shared.transport.direct import direct_handler
from shared.viewers.issue_ws_ticket import issue_operator_ticket


@direct_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, str | int]:
    """`{}` becomes what POST /api/ws-tickets answers; errors escape."""
    deps = container()
    spread = random.random()  # noqa: S311 - spreads load, keeps no secret
    return issue_operator_ticket(deps.ws_tickets, deps.clock, spread).as_json()
