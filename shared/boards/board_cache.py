"""The prepared board: a JSON document for 5 s."""

from __future__ import annotations

from typing import Any

import redis

from shared.stores.keys import Keys
from shared.stores.redis.connection import translated

LIFETIME_SECONDS = 5


class RedisBoardCache:
    """The port BoardCache."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis: Any = client
        self._keys = keys

    @translated()
    def get(self, limit: int) -> bytes | None:
        """The document of the first `limit` places; none that has longer to live than it was given: the clock was set back."""
        key = self._keys.cached_top(limit)
        if self._redis.pttl(key) > LIFETIME_SECONDS * 1000:
            return None
        document: bytes | None = self._redis.get(key)
        return document

    @translated()
    def put(self, limit: int, document: bytes) -> None:
        """Keep it for 5 s."""
        self._redis.set(self._keys.cached_top(limit), document, ex=LIFETIME_SECONDS)
