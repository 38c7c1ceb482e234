"""Since when every request that has a limit is counted in this Redis: what was counted before is lost."""

from __future__ import annotations

from collections.abc import Callable

import redis

from shared.stores.keys import Keys
from shared.stores.redis.connection import server_of
from shared.stores.redis.scripts import run_script


class LimitsSince:
    """A mark in Redis. Where it is missing (Redis was emptied, or another one serves) limits begin anew, and not open."""

    def __init__(self, client: redis.Redis, keys: Keys, registrations: Callable[[], int | None]) -> None:
        """`registrations` says how many there were in the last hour, as the database knows; None where there are no accounts."""
        self._redis = client
        self.key = keys.limits_since
        self._registrations = registrations

    def begin(self) -> None:
        """Count from now on, unless that has begun: open where there are no accounts. Raises PostgresUnavailable."""
        registrations = self._registrations()
        arguments = (server_of(self._redis), "" if registrations is None else registrations)
        run_script(self._redis, "begin_limits", (self.key,), arguments)

    def ask(self, name: str, keys: tuple[str, ...], arguments: tuple[str | int, ...]) -> int:
        """The ms to wait, from a script that asks with -1 for the mark."""
        while (wait_ms := int(run_script(self._redis, name, keys, arguments))) < 0:
            self.begin()
        return wait_ms
