"""What operators ask of Redis: numbers, readiness, whose it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import redis

from shared.operations.overview import BoardState
from shared.operations.readiness import RedisFinding
from shared.stores.keys import Keys
from shared.stores.redis.connection import translated
from shared.stores.redis.scripts import run_script

KEPT_SECONDS = 60
_REASONS = {
    "OOM": "Redis is full (maxmemory)",
    "READONLY": "Redis is read-only, for it is a replica",
    "NOREPLICAS": "Redis has fewer replicas than it must have (min-replicas-to-write)",
    "MISCONF": "Redis cannot write to its disk",
    "LOADING": "Redis is loading its data",
    "BUSY": "Redis is busy with a script",
    "MASTERDOWN": "Redis is a replica that has lost its primary",
    "CLUSTERDOWN": "the Redis Cluster is down",
    "MOVED": "another node of the Redis Cluster serves this board",
    "ASK": "another node of the Redis Cluster serves this board",
    "NOPERM": "the account in REDIS_URL lacks a permission",
}


class RedisBoardGauge:
    """The port BoardGauge."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis: Any = client
        self._keys = keys

    @translated()
    def read(self) -> BoardState:
        """One script, so that all is of one instant."""
        keys = (self._keys.leaderboard, self._keys.leaderboard_whole, self._keys.outbox)
        players, is_whole, accepted, outbox, oldest_ms = map(int, run_script(self._redis, "read_gauge", keys, ()))
        return BoardState(players, bool(is_whole), None if accepted < 0 else accepted, outbox, oldest_ms / 1000)


class RedisQueueWatch:
    """The port QueueWatch: a hash of instants. A queue that was never seen empty is taken to have been so until now."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis: Any = client
        self._key = keys.queues_empty

    @translated()
    def waiting_since(self, messages: Mapping[str, int], now: datetime) -> dict[str, datetime]:
        """One transaction."""
        now_ms = round(now.timestamp() * 1000)
        waiting = [queue for queue, count in messages.items() if count]
        with self._redis.pipeline(transaction=True) as pipeline:
            for queue, count in messages.items():
                (pipeline.hsetnx if count else pipeline.hset)(self._key, queue, now_ms)
            pipeline.hmget(self._key, [*waiting, ""])
            *_, instants = pipeline.execute()
        found = zip(waiting, instants, strict=False)
        return {queue: datetime.fromtimestamp(int(instant) / 1000, UTC) for queue, instant in found}


class RedisProbe:
    """Writes to a key of its own, and reads what tells whether there is a board and whose Redis it is.

    `on_missing` is called when there is no board, or updates are not numbered; it must not wait for anything.
    """

    def __init__(self, client: redis.Redis, keys: Keys, on_missing: Callable[[], object]) -> None:
        self._redis: Any = client
        self._keys = keys
        self._on_missing = on_missing

    @translated()
    def __call__(self) -> RedisFinding:
        """Raises RedisUnavailable when Redis does not answer."""
        keys = self._keys
        try:
            is_whole, is_open, holder = run_script(
                self._redis,
                "probe",
                (keys.readiness_probe, keys.leaderboard_whole, keys.leaderboard_numbers, keys.installation),
                (KEPT_SECONDS,),
            )
        except (redis.ResponseError, redis.exceptions.BusyLoadingError) as error:
            return self._without_writing(reason_of(error))
        if not (is_whole and is_open):
            self._on_missing()
        return RedisFinding(bool(is_whole), bool(is_open), holder.decode(errors="replace") or None)

    def _without_writing(self, reason: str) -> RedisFinding:
        try:
            is_whole = bool(self._redis.exists(self._keys.leaderboard_whole))
        except (redis.ResponseError, redis.exceptions.BusyLoadingError) as error:
            return RedisFinding(unreadable=reason_of(error), unwritable=reason)
        return RedisFinding(is_whole, unwritable=reason)


def reason_of(error: redis.RedisError) -> str:
    """In plain words; what Redis said beside its code is for the log alone."""
    code = error.status_code or str(error).partition(" ")[0]
    return _REASONS.get(code, f"Redis refuses to work ({code})")


class RedisMark:
    """The port BoardMark: a string."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis: Any = client
        self._key = keys.installation

    @translated()
    def holder(self) -> str | None:
        """What the key holds."""
        found = self._redis.get(self._key)
        return None if found is None else found.decode(errors="replace")

    @translated()
    def mark(self, installation_id: str) -> str:
        """Written where there is none, read in the same transaction."""
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.setnx(self._key, installation_id)
            pipeline.get(self._key)
            holder: bytes = pipeline.execute()[1]
        return holder.decode(errors="replace")
