"""Viewers whose sockets API Gateway holds: it has no broadcast, so each gets a post of their own, within the account's quota."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import datetime

from shared.accounts.player import Caller
from shared.stores.redis.connection import translated
from shared.viewers.connections_redis import Connections
from shared.viewers.frame import measure_lag
from shared.viewers.frames_redis import Frames, ReadBoard
from shared.viewers.management_api import ManagementApi
from shared.viewers.ports import Delivery, ViewerSweep
from shared.viewers.posts import CHUNK, CHUNK_SECONDS, LANES, Posts
from shared.viewers.subscriptions_redis import Subscriptions

# A function's time-out must leave room for the chunks that are under way when this is over.
BROADCAST_SECONDS = 40.0
SWEEP_SECONDS = 40.0


class ApiGatewayViewers:
    """The port Viewers."""

    def __init__(
        self,
        frames: Frames,
        connections: Connections,
        subscriptions: Subscriptions,
        gateway: ManagementApi,
        *,
        lanes: int = LANES,
        seconds: float = BROADCAST_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._frames = frames
        self._connections = connections
        self._subscriptions = subscriptions
        self._gateway = gateway
        self._posts = Posts(connections, gateway, lanes=lanes, monotonic=monotonic, sleep=sleep)
        self._seconds = seconds
        self._monotonic = monotonic

    def welcome(self, connection_id: str, ends_at: datetime) -> bool:
        """Nobody can be posted to inside their own $connect, so a newcomer's frame comes with a broadcast."""
        return self._connections.add(connection_id, ends_at)

    def know(self, connection_id: str, caller: Caller, *, hears_broadcast: bool) -> None:
        """Note the connection, with its account."""
        self._subscriptions.know(connection_id, caller)
        if not hears_broadcast:
            self._connections.add_quiet(connection_id, caller.expires_at)

    def dismiss(self, user_id: str, session_ids: Collection[str], at: datetime) -> None:
        """They end now; the next sweep closes them."""
        self._subscriptions.forget(self._connections.end(user_id, session_ids, at))

    def dismiss_all(self, user_id: str, at: datetime) -> None:
        """They end now; the next sweep closes them."""
        self._subscriptions.forget(self._connections.end(user_id, None, at))

    def farewell(self, connection_id: str) -> None:
        """Forget the connection."""
        self._connections.forget([connection_id])
        self._subscriptions.forget([connection_id])

    @translated()
    def broadcast(self, read_board: ReadBoard, accepted_at: datetime | None = None) -> Delivery:
        """Post to everybody who has not got the newest frame."""
        until = self._monotonic() + self._seconds
        self._connections.hear()
        version = self._frames.read_after_now(read_board).version
        is_complete = self._posts.serve(
            self._connections.main.places, version, lambda ring: self._frames.refresh(read_board), until
        )
        measure_lag(accepted_at)
        return Delivery(version, is_complete)

    def sweep(self) -> ViewerSweep:
        """Close connections whose session has ended, which API Gateway would keep for two hours."""
        until, ended = self._monotonic() + SWEEP_SECONDS, 0
        while self._monotonic() < until and (ids := self._connections.ended(CHUNK)):
            self._gateway.close_all(ids, CHUNK_SECONDS)
            self._connections.forget(ids)
            self._subscriptions.forget(ids)
            ended += len(ids)
        return ViewerSweep(ended, bool(self._connections.behind([self._connections.main])))

    def close(self) -> None:
        """End the connections to the gateway."""
        self._gateway.close()
