"""What is left of a limit, and the headers that tell of it."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from typing import NamedTuple


class RateWindow(NamedTuple):
    """`remaining` of `limit` requests are left; there will be another one in `reset_seconds`."""

    limit: int
    window_seconds: int
    remaining: int
    reset_seconds: float
    name: str = "updates"

    def headers(self) -> dict[str, str]:
        """RateLimit-Policy and RateLimit of the IETF httpapi-ratelimit-headers draft."""
        return {
            "RateLimit-Policy": f'"{self.name}";q={self.limit};w={self.window_seconds}',
            "RateLimit": f'"{self.name}";r={self.remaining};t={ceil(self.reset_seconds)}',
        }


def rate_limit_headers(windows: Iterable[RateWindow]) -> dict[str, str]:
    """The headers of one or more of them."""
    told = [window.headers() for window in windows]
    return {name: ", ".join(one[name] for one in told) for name in told[0]}
