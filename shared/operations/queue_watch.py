"""When each queue was last seen empty."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import redis

from shared.stores.keys import Keys
from shared.stores.redis.connection import translated


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
