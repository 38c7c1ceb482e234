"""Servers of Redis: which one is the primary, by what Sentinels or the nodes of a Cluster say, and what follows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FindPrimary = Callable[[], tuple[str, int]]
Places = Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class SentinelPrimary:
    """The primary of this name, as the first Sentinel says that knows it."""

    sentinels: Places
    name: str
    options: Mapping[str, Any] = field(repr=False)

    def __call__(self) -> tuple[str, int]:
        """Host and port; raises redis-py's ConnectionError."""
        from redis.sentinel import Sentinel

        asked = Sentinel(self.sentinels, sentinel_kwargs=dict(self.options))  # type: ignore[no-untyped-call]
        try:
            host, port = asked.discover_master(self.name)  # type: ignore[no-untyped-call]
        finally:
            for sentinel in asked.sentinels:
                sentinel.close()
        return str(host), int(port)


@dataclass(frozen=True, slots=True)
class ClusterPrimary:
    """The node that serves the hash slot of `key`, as the first node says for which the cluster is in order.

    One that was cut off from the others says of itself that it is not.
    """

    nodes: Places
    key: str
    options: Mapping[str, Any] = field(repr=False)

    def __call__(self) -> tuple[str, int]:
        """Host and port; raises redis-py's errors, those of the last node that was asked."""
        import redis

        failure: redis.RedisError | None = None
        for host, port in self.nodes:
            try:
                with redis.Redis(host, port, **self.options, decode_responses=True) as node:
                    found = self._ask(node)
            except redis.RedisError as error:
                failure = error
            else:
                return found[0] or host, found[1]  # without a host: the same as the node's own
        raise failure or redis.ConnectionError("REDIS_URL names no node of a Redis Cluster")

    def _ask(self, node: Any) -> tuple[str, int]:
        import redis
        from redis.crc import key_slot

        slot = key_slot(self.key.encode())
        if node.execute_command("CLUSTER INFO")["cluster_state"] == "ok":
            for first, last, (host, port, *_), *_replicas in node.execute_command("CLUSTER SLOTS"):
                if first <= slot <= last:
                    return str(host or ""), int(port)
        raise redis.ConnectionError(f"no node of the Redis Cluster serves the slot of {self.key}: is it in order (CLUSTER INFO)?")


def lacking_replicas(replication: Mapping[str, Any], required: int) -> str:
    """What is wrong, in words, with what INFO replication says; empty where so many replicas follow."""
    found = sum(
        value["state"] == "online"
        for name, value in replication.items()
        if name.startswith("slave") and name.removeprefix("slave").isdecimal()
    )
    return "" if found >= required else f"REDIS_REPLICAS asks for {required} replicas, and Redis has {found}"


def has_hash_tag(key: str) -> bool:
    """Whether keys that begin like this lie in one hash slot of a cluster, whatever follows."""
    tag, end, _ = key.partition("{")[2].partition("}")
    return bool(tag and end)
