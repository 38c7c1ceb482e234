"""Clears up after players who stopped playing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import redis

from shared.adapters.redis.connection import translated
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.scripts import run_script

AN_HOUR_MS = 3_600_000


class RedisRateWindows:
    """The port RateWindows. `now` replaces Redis's own clock."""

    def __init__(
        self, client: redis.Redis, keys: Keys, *, rate_window_seconds: int, now: Callable[[], datetime] | None = None
    ) -> None:
        self._redis: Any = client
        self._keys = keys
        # Only a clock that was set back leaves an entry further ahead; it would lie there until the old time is reached again.
        self._farthest_ms = rate_window_seconds * 1000 + AN_HOUR_MS
        self._now = now

    @translated()
    def forget(self, limit: int) -> int:
        """The script looks again: a player who came back keeps everything."""
        now, index = self._milliseconds(), self._keys.rate_windows
        farthest = now + self._farthest_ms
        if ahead := self._redis.zrangebyscore(index, f"({farthest}", "+inf", 0, limit):
            self._redis.zadd(index, dict.fromkeys(ahead, farthest), xx=True)
        user_ids = [user_id.decode() for user_id in self._redis.zrangebyscore(index, "-inf", now, 0, limit)]
        if not user_ids:
            return 0
        keys = [key for user_id in user_ids for key in (self._keys.requests(user_id), self._keys.spent_tickets(user_id))]
        return int(run_script(self._redis, "forget_windows", (index, *keys), (now, *user_ids)))

    def _milliseconds(self) -> int:
        if self._now is not None:
            return round(self._now().timestamp() * 1000)
        seconds, microseconds = self._redis.time()
        return int(seconds * 1000 + microseconds // 1000)
