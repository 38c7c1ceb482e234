"""What is known of each connection of a WebSocket API: until when it lasts, whose it is, which views it watches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis

from shared.accounts.player import Caller
from shared.accounts.session import REMEMBERED
from shared.core.errors import TokenExpired, TooManyRequests
from shared.stores.keys import ShardKeys
from shared.stores.redis.connection import translated
from shared.stores.redis.scripts import run_script
from shared.viewers.connections_redis import LONGEST_MS
from shared.viewers.frames_redis import Milliseconds, server_time
from shared.viewers.rings import ring_of_view
from shared.viewers.view import MAX_SUBSCRIPTIONS, WATCHED_SECONDS

# After its end a connection is swept; what it watched must be known by then.
SWEPT_MS = 10 * 60_000
_ID = "id:"


@dataclass(frozen=True, slots=True)
class KnownConnection:
    """Whose it is, empty for nobody's, and the ids of its subscriptions."""

    user_id: str
    subscriptions: Sequence[str]


class Subscriptions:
    """Which connection watches which views, each under an id of its own (Redis). A view's watchers are a ring of connections."""

    def __init__(self, client: redis.Redis, keys: ShardKeys, *, now: Milliseconds = server_time) -> None:
        self._redis: Any = client
        self._keys = keys
        self._now = now

    @translated()
    def know(self, connection_id: str, caller: Caller) -> None:
        """Note a connection, and under the account for as long as an access token lives: then it ends by itself."""
        ends_at = round(min(caller.expires_at.timestamp() * 1000, time.time() * 1000 + LONGEST_MS))
        viewer = self._keys.viewer(connection_id)
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hset(viewer, mapping={"ends_at": ends_at, "user_id": caller.user_id})
            pipeline.pexpireat(viewer, ends_at + SWEPT_MS)
            if not caller.is_anonymous:  # what belongs to nobody is never dismissed
                key = self._keys.user(caller.user_id).viewers
                pipeline.hset(key, connection_id, caller.session_id)
                pipeline.expire(key, int(REMEMBERED.total_seconds()))
            pipeline.execute()

    @translated()
    def known(self, connection_id: str) -> KnownConnection:
        """What is known of a connection that is about to be answered: one request of the quota. Raises TokenExpired."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(self._keys.viewer(connection_id))
            pipeline.hincrbyfloat(self._keys.viewers_quota, "tokens", -1)
            fields = {name.decode(): value.decode() for name, value in pipeline.execute()[0].items()}
        if not fields or int(fields["ends_at"]) <= int(self._now() or time.time() * 1000):
            raise _ended()
        return KnownConnection(fields["user_id"], [name.removeprefix(_ID) for name in fields if name.startswith(_ID)])

    @translated()
    def view_of(self, connection_id: str, subscription_id: str) -> str:
        """The name of the view that is watched under an id; empty for none."""
        return (self._redis.hget(self._keys.viewer(connection_id), f"{_ID}{subscription_id}") or b"").decode()

    @translated()
    def watch(self, connection_id: str, subscription_id: str, view: str, version: int) -> bool:
        """The connection, which has this version of the view, watches it from now on, in the place of what had the id.

        Whether it is owed a newer frame, so that a broadcast must be asked for. Raises TokenExpired and TooManyRequests.
        """
        place = ring_of_view(self._keys, view).place_of(connection_id)
        frame, watched = place.ring.keys.frame, self._keys.watched_views
        verdict, *rest = run_script(
            self._redis,
            "watch_view",
            (self._keys.viewer(connection_id), place.connections, place.owed, place.round, frame, watched),
            (self._now(), connection_id, subscription_id, view, version, MAX_SUBSCRIPTIONS, LONGEST_MS),
        )
        if verdict == b"ended":
            raise _ended()
        if verdict == b"full":
            raise TooManyRequests(f"A connection watches at most {MAX_SUBSCRIPTIONS} boards. Unsubscribe from one before.")
        before, is_owed = rest
        if before and before.decode() != view:
            self.leave(connection_id, before.decode(), subscription_id)
        return bool(is_owed)

    @translated()
    def leave(self, connection_id: str, view: str, subscription_id: str = "") -> None:
        """End a subscription to a view, or all that the connection has to it."""
        ring = ring_of_view(self._keys, view)
        place = ring.place_of(connection_id)
        others = [each.connections for each in ring.places if each != place]
        run_script(
            self._redis,
            "leave_view",
            (self._keys.viewer(connection_id), self._keys.watched_views, place.owed, place.connections, *others),
            (self._now(), connection_id, view, subscription_id, WATCHED_SECONDS * 1000),
        )

    @translated()
    def forget(self, connection_ids: Sequence[str]) -> None:
        """They have ended."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for connection_id in connection_ids:
                pipeline.hgetall(self._keys.viewer(connection_id))
                pipeline.delete(self._keys.viewer(connection_id))
            known = pipeline.execute()[::2]
        for connection_id, fields in zip(connection_ids, known, strict=True):
            for view in {value for name, value in fields.items() if name.startswith(_ID.encode())}:
                self.leave(connection_id, view.decode())


def _ended() -> TokenExpired:
    return TokenExpired("The session of this connection has ended. Open another one.")
