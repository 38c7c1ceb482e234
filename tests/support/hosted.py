"""What black-box tests know of a scoreboard: the local runtime hosts it, or Lambda's runtime client."""

from __future__ import annotations

from typing import Any, Protocol

import redis

from tests.support.api import Api


class Hosted(Protocol):
    """A running scoreboard."""

    @property
    def api(self) -> Api:
        """A client of it."""
        ...

    def redis(self) -> redis.Redis:
        """A client of its Redis."""
        ...

    def query(self, sql: str, **parameters: object) -> list[Any]:
        """Run one statement on its PostgreSQL."""
        ...
