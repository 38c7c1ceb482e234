"""The sliding window of updates a player may make, and the headers that tell of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import NamedTuple


class RateWindow(NamedTuple):
    """`remaining` of `limit` updates are left; the oldest one leaves the window in `reset_seconds`."""

    limit: int
    window_seconds: int
    remaining: int
    reset_seconds: float

    def headers(self) -> dict[str, str]:
        """RateLimit-Policy and RateLimit of the IETF httpapi-ratelimit-headers draft."""
        return {
            "RateLimit-Policy": f'"updates";q={self.limit};w={self.window_seconds}',
            "RateLimit": f'"updates";r={self.remaining};t={ceil(self.reset_seconds)}',
        }


@dataclass(frozen=True, slots=True)
class Losses:
    """What Redis may have lost of players' latest updates.

    First results and spent tickets from before `results_since` (ms; 0 for always) may be missing while `results` is true,
    instants in rate windows while `windows` is.
    """

    results_since: int
    results: bool
    windows: bool
