"""Another configuration of a Redis for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis


@contextmanager
def redis_with(redis_url: str, **settings: int) -> Iterator[None]:
    """As it is outside, again afterwards; `maxmemory=1` is a full one."""
    with redis.Redis.from_url(redis_url) as client:
        before: Any = {}
        for name, value in settings.items():
            before |= client.config_get(name.replace("_", "-"))
            client.config_set(name.replace("_", "-"), value)
        try:
            yield
        finally:
            for name, value in before.items():
                client.config_set(name, value)
