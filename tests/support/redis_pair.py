"""Two servers of Redis behind one address, which fails over from the first to the second."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis

from local_runtime.instance.servers.redis import PrivateRedis
from local_runtime.instance.servers.run import running
from tests.support.relay import Relay
from tests.support.waiting import eventually

PASSWORD = "pair"


class RedisPair:
    """`url` is what a client is given; `first` and `second` go past the address."""

    def __init__(self, first_url: str, second_url: str) -> None:
        self.first_url, self.second_url = first_url, second_url
        self.first: Any = redis.Redis.from_url(first_url)
        self.second: Any = redis.Redis.from_url(second_url)
        self.relay = Relay(first_url)
        self.url = self.relay.url

    def fail_over(self) -> None:
        """The second server takes over with all data, the first one becomes its replica; no client is told."""
        self.replicate(self.second, self.first_url)
        self.second.replicaof("NO", "ONE")
        self.relay.lead_to(self.second_url)
        self.replicate(self.first, self.second_url)

    def demote(self) -> None:
        """The first server becomes a replica, and the address still leads there."""
        self.replicate(self.first, self.second_url)

    def replicate(self, replica: Any, primary_url: str) -> None:
        """Returns when the one is in step with the other."""
        primary = urlsplit(primary_url)
        for server in (self.first, self.second):
            server.config_set("repl-diskless-sync-delay", 0)
        replica.config_set("masterauth", PASSWORD)
        replica.replicaof(primary.hostname, primary.port)
        eventually(lambda: replica.info("replication")["master_link_status"] == "up", 60, "the replica in step")


@contextmanager
def redis_pair(directory: Path) -> Iterator[RedisPair]:
    """Both running."""
    first, second = (PrivateRedis(directory / name, PASSWORD) for name in ("first", "second"))
    with running(first), running(second):
        pair = RedisPair(first.url, second.url)
        try:
            yield pair
        finally:
            pair.relay.close()
            pair.first.close()
            pair.second.close()
