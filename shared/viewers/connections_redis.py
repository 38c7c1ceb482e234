"""The registry of a WebSocket API's connections: in shards, each with its round of posts; bounded, and rid of the dead."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zlib import crc32

import redis

from shared.accounts.player import Caller
from shared.accounts.session import REMEMBERED
from shared.core.errors import TooManyViewers
from shared.stores.keys import Keys
from shared.stores.redis.connection import translated
from shared.stores.redis.scripts import run_script
from shared.viewers.frame import Frame, frame_of
from shared.viewers.frames_redis import Milliseconds, server_time

SHARDS = 16
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


@dataclass(frozen=True, slots=True)
class Chunk:
    """Viewers of one shard who are to be posted the frame; the shard is the holder's until it is settled."""

    shard: int
    holder: str
    frame: Frame
    connection_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Throttled:
    """There are viewers to be posted to, but requests for them only in a while."""

    seconds: float


@dataclass(slots=True)
class Outcome:
    """Who was served, who is gone and whose post failed; `forfeited` requests the gateway had no room for."""

    served: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    forfeited: int = 0


class Connections:
    """Who is connected, and whose turn it is."""

    def __init__(self, client: redis.Redis, keys: Keys, quota: Quota, *, now: Milliseconds = server_time) -> None:
        self._redis: Any = client
        self._keys = keys
        self._quota = quota
        self._now = now

    @translated()
    def add(self, connection_id: str, ends_at: datetime) -> bool:
        """Note a connection, which is owed a frame; False when nobody has asked for a broadcast yet. Raises TooManyViewers."""
        shard, keys = _shard(connection_id), self._keys
        answer = run_script(
            self._redis,
            "join_viewer",
            (
                keys.viewers(shard),
                keys.viewers_since(shard),
                keys.viewers_owed(shard),
                keys.viewers_round(shard),
                keys.viewers_asked,
            ),
            (self._now(), connection_id, round(ends_at.timestamp() * 1000), MAX_CONNECTIONS // SHARDS, ASKED_MS, LONGEST_MS),
        )
        if not answer:
            raise TooManyViewers
        return int(answer) == 1

    @translated()
    def know(self, connection_id: str, caller: Caller) -> None:
        """Note whose it is, under the account, for as long as an access token lives: then the connection ends by itself."""
        key = self._keys.viewers_of(caller.user_id)
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hset(key, connection_id, caller.session_id)
            pipeline.expire(key, int(REMEMBERED.total_seconds()))
            pipeline.execute()

    @translated()
    def end(self, user_id: str, session_ids: Collection[str] | None, at: datetime) -> None:
        """The account's connections of these sessions, or all, have ended at that moment; `ended` answers them next."""
        key, ends_at = self._keys.viewers_of(user_id), int(at.timestamp() * 1000)  # not after now
        known = self._redis.hgetall(key).items()
        ended = [connection.decode() for connection, session in known if session_ids is None or session.decode() in session_ids]
        with self._redis.pipeline(transaction=False) as pipeline:
            for connection_id in ended:
                pipeline.zadd(self._keys.viewers(_shard(connection_id)), {connection_id: ends_at}, xx=True, lt=True)
                pipeline.hdel(key, connection_id)
            pipeline.execute()

    @translated()
    def forget(self, connection_ids: Sequence[str]) -> None:
        """They have ended."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for connection_id in connection_ids:
                shard = _shard(connection_id)
                pipeline.zrem(self._keys.viewers(shard), connection_id)
                pipeline.hdel(self._keys.viewers_since(shard), connection_id)
                pipeline.zrem(self._keys.viewers_owed(shard), connection_id)
            pipeline.execute()

    @translated()
    def hear(self) -> None:
        """A broadcast begins: who comes from now on asks anew."""
        self._redis.delete(self._keys.viewers_asked)

    @translated()
    def take(self, shard: int, holder: str, at_most: int) -> Chunk | Throttled | float | None:
        """The next viewers of a shard; the seconds until there may be some; None when all of it have what they should."""
        keys = self._keys
        verdict, *rest = run_script(
            self._redis,
            "take_viewers",
            (keys.viewers(shard), keys.viewers_owed(shard), keys.viewers_round(shard), keys.frame, keys.viewers_quota),
            (self._now(), holder, LEASE_MS, at_most, self._quota.requests_per_second, self._quota.burst),
        )
        if verdict == b"idle":
            return None
        if verdict == b"throttled":
            return Throttled(int(rest[0]) / 1000)
        if verdict == b"wait":
            return int(rest[0]) / 1000
        version, data, cache_time, *ids = rest
        frame = frame_of(int(version), data.decode(), cache_time.decode())
        return Chunk(shard, holder, frame, [connection_id.decode() for connection_id in ids])

    @translated()
    def settle(self, chunk: Chunk, outcome: Outcome, retry_seconds: float) -> None:
        """Give the shard back; those whose post failed come again after `retry_seconds`.

        Somebody who connected a moment ago cannot be posted to before their handshake is over, and counts as failed.
        """
        shard, keys = chunk.shard, self._keys
        run_script(
            self._redis,
            "settle_viewers",
            (
                keys.viewers(shard),
                keys.viewers_since(shard),
                keys.viewers_owed(shard),
                keys.viewers_round(shard),
                keys.viewers_quota,
            ),
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
        keys = (*(self._keys.viewers(shard) for shard in range(SHARDS)), self._keys.viewers_quota)
        arguments = (self._now(), at_most, self._quota.requests_per_second, self._quota.burst)
        return [connection_id.decode() for connection_id in run_script(self._redis, "take_ended_viewers", keys, arguments)]

    @translated()
    def is_behind(self) -> bool:
        """Whether somebody has not got what they should."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hget(self._keys.frame, "version")
            for shard in range(SHARDS):
                pipeline.hmget(self._keys.viewers_round(shard), "version", "left", "holder")
                pipeline.zcard(self._keys.viewers_owed(shard))
                pipeline.zcard(self._keys.viewers(shard))
            version, *answers = pipeline.execute()
        for place in range(0, len(answers), 3):
            (reached, left, holder), owed, connected = answers[place : place + 3]
            if owed or holder or (connected and (reached != version or int(left or 0))):
                return True
        return False


def new_holder() -> str:
    """A name for somebody who takes chunks."""
    return secrets.token_hex(8)


def _shard(connection_id: str) -> int:
    return crc32(connection_id.encode()) % SHARDS
