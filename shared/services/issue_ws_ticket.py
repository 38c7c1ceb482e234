"""Give a browser, which cannot set headers on a WebSocket, a ticket for one handshake."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.domain.player import Caller
from shared.ports import RequestLimits, WsTickets


@dataclass(frozen=True, slots=True)
class WsTicket:
    """Good once, for `expires_in_seconds`."""

    ticket: str = field(repr=False)
    expires_in_seconds: int

    def as_json(self) -> dict[str, str | int]:
        """In the words of the API."""
        return {"ticket": self.ticket, "expiresIn": self.expires_in_seconds}


def issue_ws_ticket(caller: Caller, limits: RequestLimits, tickets: WsTickets) -> WsTicket:
    """The connection it opens ends when the caller's access token does; raises TooManyRequests."""
    limits.admit("ws_ticket", user_id=caller.user_id)
    return WsTicket(*tickets.issue(caller))
