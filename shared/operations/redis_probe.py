"""Whether Redis takes what an update writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis

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
