"""Whose this Redis is."""

from __future__ import annotations

from typing import Any

import redis

from shared.stores.keys import Keys
from shared.stores.redis.connection import translated


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
