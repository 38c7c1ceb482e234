"""The registry of a WebSocket API's connections: rings of shards, each with its round of posts; bounded, and rid of the dead."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import redis

from shared.core.errors import TooManyViewers
from shared.stores.keys import ShardKeys
from shared.stores.redis.connection import translated
from shared.stores.redis.scripts import run_script
from shared.viewers.frame import frame_of, frame_of_view
from shared.viewers.frames_redis import Milliseconds, server_time
from shared.viewers.rings import SHARDS, Chunk, Outcome, Place, Ring, Throttled, ring_of_main

MAX_CONNECTIONS = 480_000
# Longer than it takes to post to all of a chunk, one time-out included: after that somebody else goes on.
LEASE_MS = 10_000
GRACE_MS = 5_000
ASKED_MS = 5_000
# API Gateway ends every connection after two hours, and after ten minutes without a message.
LONGEST_MS = (2 * 60 + 10) * 60_000


@dataclass(frozen=True, slots=True)
class Quota:
    """Requests a second that may go to the gateway, and how many of them at once."""

    requests_per_second: int
    burst: int


class Connections:
    """Who is connected, and whose turn it is."""

    def __init__(self, client: redis.Redis, keys: ShardKeys, quota: Quota, *, now: Milliseconds = server_time) -> None:
        self._redis: Any = client
        self._keys = keys
        self.main = ring_of_main(keys)
        self._quota = quota
        self._now = now

    @translated()
    def add(self, connection_id: str, ends_at: datetime) -> bool:
        """Note a connection, which is owed a frame; False when nobody has asked for a broadcast yet. Raises TooManyViewers."""
        place = self.main.place_of(connection_id)
        answer = run_script(
            self._redis,
            "join_viewer",
            (place.connections, place.since, place.owed, place.round, self._keys.viewers_asked),
            (self._now(), connection_id, round(ends_at.timestamp() * 1000), MAX_CONNECTIONS // SHARDS, ASKED_MS, LONGEST_MS),
        )
        if not answer:
            raise TooManyViewers
        return int(answer) == 1

    @translated()
    def add_quiet(self, connection_id: str, ends_at: datetime) -> None:
        """Note a connection that is not sent `main`, so that `ended` answers it. Raises TooManyViewers."""
        key = self._keys.quiet_viewers
        if self._redis.zcard(key) >= MAX_CONNECTIONS:
            raise TooManyViewers
        self._redis.zadd(key, {connection_id: round(ends_at.timestamp() * 1000)})

    @translated()
    def end(self, user_id: str, session_ids: Collection[str] | None, at: datetime) -> list[str]:
        """The account's connections of these sessions, or all, have ended at that moment; `ended` answers them next."""
        key, ends_at = self._keys.user(user_id).viewers, int(at.timestamp() * 1000)  # not after now
        known = self._redis.hgetall(key).items()
        ended = [connection.decode() for connection, session in known if session_ids is None or session.decode() in session_ids]
        with self._redis.pipeline(transaction=False) as pipeline:
            for connection_id in ended:
                pipeline.zadd(self.main.place_of(connection_id).connections, {connection_id: ends_at}, xx=True, lt=True)
                pipeline.hdel(key, connection_id)
            pipeline.execute()
        return ended

    @translated()
    def forget(self, connection_ids: Sequence[str]) -> None:
        """They have ended."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for connection_id in connection_ids:
                place = self.main.place_of(connection_id)
                pipeline.zrem(place.connections, connection_id)
                pipeline.hdel(place.since, connection_id)
                pipeline.zrem(place.owed, connection_id)
                pipeline.zrem(self._keys.quiet_viewers, connection_id)
            pipeline.execute()

    @translated()
    def hear(self) -> None:
        """A broadcast begins: who comes from now on asks anew."""
        self._redis.delete(self._keys.viewers_asked)

    @translated()
    def take(self, place: Place, holder: str, at_most: int) -> Chunk | Throttled | float | None:
        """The next viewers of a shard; the seconds until there may be some; None when all of it have what they should."""
        verdict, *rest = run_script(
            self._redis,
            "take_viewers",
            (place.connections, place.owed, place.round, place.ring.keys.frame, self._keys.viewers_quota),
            (self._now(), holder, LEASE_MS, at_most, self._quota.requests_per_second, self._quota.burst),
        )
        if verdict == b"idle":
            return None
        if verdict == b"throttled":
            return Throttled(int(rest[0]) / 1000)
        if verdict == b"wait":
            return int(rest[0]) / 1000
        version, data, cache_time, *ids = rest
        make = frame_of_view if place.ring.view else frame_of
        frame = make(int(version), data.decode(), cache_time.decode())
        return Chunk(place, holder, frame, [connection_id.decode() for connection_id in ids])

    @translated()
    def settle(self, chunk: Chunk, outcome: Outcome, retry_seconds: float) -> None:
        """Give the shard back; those whose post failed come again after `retry_seconds`.

        Somebody who connected a moment ago cannot be posted to before their handshake is over, and counts as failed.
        """
        place = chunk.place
        run_script(
            self._redis,
            "settle_viewers",
            (place.connections, place.since, place.owed, place.round, self._keys.viewers_quota),
            (
                self._now(),
                chunk.holder,
                GRACE_MS,
                outcome.forfeited,
                round(retry_seconds * 1000),
                len(outcome.served),
                len(outcome.gone),
                *outcome.served,
                *outcome.gone,
                *outcome.failed,
            ),
        )

    @translated()
    def ended(self, at_most: int) -> list[str]:
        """Connections whose session has ended; requests to close them are taken from the quota."""
        keys = (*(place.connections for place in self.main.places), self._keys.quiet_viewers, self._keys.viewers_quota)
        arguments = (self._now(), at_most, self._quota.requests_per_second, self._quota.burst)
        return [connection_id.decode() for connection_id in run_script(self._redis, "take_ended_viewers", keys, arguments)]

    @translated()
    def peopled(self, rings: Sequence[Ring]) -> list[Place]:
        """The shards of rings in which there is somebody."""
        places = [place for ring in rings for place in ring.places]
        with self._redis.pipeline(transaction=False) as pipeline:
            for place in places:
                pipeline.exists(place.connections)
            return [place for place, is_there in zip(places, pipeline.execute(), strict=True) if is_there]

    @translated()
    def behind(self, rings: Sequence[Ring]) -> list[Ring]:
        """Those in which somebody has not got what they should."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for ring in rings:
                pipeline.hget(ring.keys.frame, "version")
                for place in ring.places:
                    pipeline.hmget(place.round, "version", "left", "holder")
                    pipeline.zcard(place.owed)
                    pipeline.zcard(place.connections)
            answers = iter(pipeline.execute())
        return [
            ring
            for ring in rings
            if _is_behind(next(answers), [(next(answers), next(answers), next(answers)) for _ in ring.places])
        ]


def _is_behind(version: bytes | None, shards: Sequence[tuple[Any, int, int]]) -> bool:
    return any(
        owed or holder or (connected and (reached != version or int(left or 0)))
        for (reached, left, holder), owed, connected in shards
    )
