"""The prepared board: a JSON document for 5 s."""

from __future__ import annotations

from typing import Any

import redis

from shared.accounts.session import Question
from shared.stores.keys import Keys
from shared.stores.redis.connection import translated
from shared.stores.redis.scripts import run_script, script_command

LIFETIME_MS = 5000


class RedisBoardCache:
    """The port BoardCache."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis: Any = client
        self._keys = keys

    @translated()
    def get(self, limit: int) -> bytes | None:
        """By a script."""
        document: bytes | None = run_script(self._redis, "read_prepared", (self._keys.cached_top(limit),), (LIFETIME_MS,))
        return document

    def cached(self, limit: int) -> Question[bytes | None]:
        """By the same script."""
        return Question(script_command("read_prepared", (self._keys.cached_top(limit),), (LIFETIME_MS,)), _as_it_is)

    @translated()
    def put(self, limit: int, document: bytes) -> None:
        """Keep it for 5 s."""
        self._redis.set(self._keys.cached_top(limit), document, px=LIFETIME_MS)


def _as_it_is(document: bytes | None) -> bytes | None:
    return document
