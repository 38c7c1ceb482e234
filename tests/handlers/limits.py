"""Limits small enough to be reached at once, and windows long enough that none of it comes back meanwhile."""

from __future__ import annotations

from shared.accounts.redis import LimitsSince, RequestLimits
from shared.accounts.request_limit import RequestKind, RequestLimit, request_limits
from shared.container import Container


def open_limits(deployed: Container) -> None:
    """As in a new installation: nothing was counted before, whatever other tests have done to the stores."""
    deployed._redis.delete(deployed._shard.limits_since)
    LimitsSince(deployed._redis, deployed._shard, lambda: None).begin()


def limit_requests(deployed: Container, kind: RequestKind, requests: int) -> None:
    """Requests of a kind by each of whom its limits count, and no more for hours."""
    limits = request_limits(network_registrations=600, registrations=10_000, updates=100, update_window_seconds=60)
    small = tuple(RequestLimit(limit.scope, requests, requests * 36_000) for limit in limits[kind])
    deployed.request_limits = RequestLimits(deployed._limits_since, deployed._shard, {**limits, kind: small})
