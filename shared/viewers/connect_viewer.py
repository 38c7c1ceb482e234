"""Let somebody watch the board who has shown an access token or a ticket."""

from __future__ import annotations

from shared.accounts.player import Caller
from shared.core.errors import TokenExpired
from shared.core.platform import Clock
from shared.ledger.messages import EventPublisher
from shared.viewers.ask_for_broadcast import ask_for_broadcast
from shared.viewers.ports import Viewers


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
