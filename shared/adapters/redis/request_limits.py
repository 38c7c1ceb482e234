"""How often requests of a kind may be made, counted for all processes together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import redis

from shared.adapters.redis.connection import translated
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.scripts import run_script
from shared.domain.network import counted_network, is_this_machine
from shared.domain.request_limit import RequestKind, RequestLimit
from shared.errors import RedisUnavailable, TooManyRequests
from shared.logs import get_logger

_log = get_logger(__name__)


class RedisRequestLimits:
    """The port RequestLimits: one number for each limit and whom it counts, gone when it is used up no more.

    Addresses of this machine are not counted by network: that is an operator, or a proxy that was not declared.
    """

    def __init__(self, client: redis.Redis, keys: Keys, limits: Mapping[RequestKind, Sequence[RequestLimit]]) -> None:
        self._redis = client
        self._keys = keys
        self._limits = limits

    def admit(self, kind: RequestKind, *, source_ip: str = "", user_id: str = "") -> None:
        """One script over all limits of the kind: it counts for all of them or, when one is reached, for none."""
        whom = {"user": user_id, "network": counted_network(source_ip), "everybody": "all"}
        limits = [limit for limit in self._limits[kind] if limit.scope != "network" or not is_this_machine(source_ip)]
        keys = [self._keys.request_limit(kind, limit.scope, whom[limit.scope]) for limit in limits]
        arguments = [number for limit in limits for number in (limit.requests, limit.window_seconds * 1000)]
        try:
            with translated():
                wait_ms = int(run_script(self._redis, "admit_request", keys, arguments))
        except RedisUnavailable:
            _log.warning("not limited while Redis is away", extra={"kind": kind})
            return
        if wait_ms:
            raise TooManyRequests(retry_after_seconds=wait_ms / 1000)
