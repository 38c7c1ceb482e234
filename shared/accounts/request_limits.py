"""How often requests of a kind may be made, counted for all processes together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.accounts.limits_since import LimitsSince
from shared.accounts.request_limit import RequestKind, RequestLimit
from shared.core.errors import TooManyRequests
from shared.core.network import counted_network, is_this_machine
from shared.stores.keys import Keys
from shared.stores.redis.connection import translated


class RedisRequestLimits:
    """The port RequestLimits: one number for each limit and whom it counts, gone when it is used up no more.

    Addresses of this machine are not counted by network: that is an operator, or a proxy that was not declared. Without Redis
    nothing is admitted: it could not be counted.
    """

    def __init__(self, since: LimitsSince, keys: Keys, limits: Mapping[RequestKind, Sequence[RequestLimit]]) -> None:
        self._since = since
        self._keys = keys
        self._limits = limits

    @translated()
    def admit(self, kind: RequestKind, *, source_ip: str = "", user_id: str = "") -> None:
        """One script over all limits of the kind: it counts for all of them or, when one is reached, for none."""
        whom = {"user": user_id, "network": counted_network(source_ip), "everybody": "all"}
        limits = [limit for limit in self._limits[kind] if limit.scope != "network" or not is_this_machine(source_ip)]
        keys = [self._keys.request_limit(kind, limit.scope, whom[limit.scope]) for limit in limits]
        numbers = [number for limit in limits for number in (limit.requests, limit.window_seconds * 1000)]
        arguments = ("1" if kind == "registration" else "", *numbers)
        wait_ms = self._since.ask("admit_request", (self._since.key, *keys), arguments)
        if wait_ms:
            raise TooManyRequests(retry_after_seconds=wait_ms / 1000)

    @translated()
    def begin(self) -> None:
        """Set the mark."""
        self._since.begin()
