"""Let somebody watch through AppSync Events who shows a WebSocket ticket."""

from __future__ import annotations

from shared.accounts.check_access import Accounts, check_access
from shared.accounts.ports import WsTickets
from shared.core.errors import Forbidden, TokenExpired
from shared.core.platform import Clock

CONNECT = "EVENT_CONNECT"
SUBSCRIBE = "EVENT_SUBSCRIBE"
_STEP = "subscribe"


def authorize_viewer(
    operation: str, channel: str, ticket: str, live_channel: str, tickets: WsTickets, accounts: Accounts, clock: Clock
) -> None:
    """Each ticket is good for one connection and for one subscription on it, to the live channel and nothing else.

    Raises InvalidTicket, TokenExpired, what check_access does, and Forbidden for whatever else is asked: viewers never publish.
    """
    if operation == CONNECT:
        caller = check_access(tickets.spend(ticket), accounts)
        tickets.allow(ticket, _STEP, caller)
    elif operation == SUBSCRIBE and channel == live_channel:
        caller = check_access(tickets.spend(ticket, _STEP), accounts)
    else:
        raise Forbidden
    if caller.expires_at <= clock.now():
        raise TokenExpired
