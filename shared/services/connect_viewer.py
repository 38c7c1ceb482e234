"""Let somebody watch the board who has shown an access token or a ticket."""

from __future__ import annotations

from collections.abc import Callable

from shared.domain.player import Caller
from shared.errors import TokenExpired
from shared.ports import Clock, Viewers


def connect_viewer(caller: Caller, connection_id: str, viewers: Viewers, broadcast: Callable[[], object], clock: Clock) -> int:
    """Note the viewer; answer the epoch second at which the session ends. Raises TokenExpired.

    A newcomer is shown the newest frame. When there is none yet, `broadcast` makes one.
    """
    if caller.expires_at <= clock.now():
        raise TokenExpired
    if not viewers.welcome(connection_id):
        broadcast()
    return int(caller.expires_at.timestamp())
