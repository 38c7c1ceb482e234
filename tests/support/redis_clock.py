"""A clock that stands, for the scripts that ask Redis for the time: what they tell depends on no machine's pace."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from shared.core.metrics.instruments import Histogram
from shared.stores.redis import scripts

TIME = "redis.call('TIME')"


class RedisClock:
    """Stands until it is moved."""

    def __init__(self, client: redis.Redis) -> None:
        seconds, microseconds = client.time()
        self._microseconds = seconds * 1_000_000 + microseconds

    def move(self, milliseconds: int) -> None:
        self._microseconds += milliseconds * 1000

    def instead(self, text: str) -> str:
        """The text of a script that takes this clock's time for Redis's."""
        seconds, microseconds = divmod(self._microseconds, 1_000_000)
        return text.replace(TIME, f"{{'{seconds}', '{microseconds}'}}")


@contextmanager
def standing_clock(client: redis.Redis) -> Iterator[RedisClock]:
    """For all scripts that this process runs."""
    clock, source = RedisClock(client), scripts._source

    def standing(name: str) -> tuple[str, str, Histogram]:
        text, _, seconds = source(name)
        text = clock.instead(text)
        digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        scripts._texts[digest] = text
        return text, digest, seconds

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scripts, "_source", standing)
        yield clock
