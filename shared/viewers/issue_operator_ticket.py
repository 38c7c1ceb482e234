"""Give the operator, who has no account, a ticket for one WebSocket handshake."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from shared.accounts.player import Caller
from shared.accounts.ports import WsTickets
from shared.core.platform import Clock
from shared.viewers.issue_ws_ticket import LONGEST_SECONDS

OPERATOR = "operator"


def issue_operator_ticket(tickets: WsTickets, clock: Clock) -> dict[str, Any]:
    """`{"ticket", "expiresIn"}`: whoever shows it may watch, as a player may, and no more."""
    caller = Caller(OPERATOR, "player", clock.now() + timedelta(seconds=LONGEST_SECONDS))
    ticket, expires_in_seconds = tickets.issue(caller)
    return {"ticket": ticket, "expiresIn": expires_in_seconds}
