"""Let somebody watch through AppSync Events who shows a WebSocket ticket."""

from __future__ import annotations

from shared.accounts.check_access import Accounts, check_access
from shared.accounts.player import Caller
from shared.accounts.ports import WsTickets
from shared.core.clock import Clock
from shared.core.errors import Forbidden, TokenExpired
from shared.ledger.ports import EventPublisher
from shared.viewers.broadcast_scores import ask_for_broadcast
from shared.viewers.ports import Viewers

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


def connect_viewer(caller: Caller, connection_id: str, viewers: Viewers, publisher: EventPublisher, clock: Clock) -> int:
    """Note the viewer; answer the epoch second at which the session ends.

    Raises TokenExpired, TooManyViewers, ViewersUnavailable. A newcomer is shown the newest frame;
    where it is not there to be shown a broadcast brings it.
    """
    if caller.expires_at <= clock.now():
        raise TokenExpired
    viewers.know(connection_id, caller)
    if not viewers.welcome(connection_id, caller.expires_at):
        ask_for_broadcast(publisher, clock)
    return int(caller.expires_at.timestamp())


def sweep_viewers(viewers: Viewers, publisher: EventPublisher, clock: Clock) -> int:
    """Answer how many were dropped."""
    sweep = viewers.sweep()
    if sweep.is_behind:
        ask_for_broadcast(publisher, clock)
    return sweep.ended
