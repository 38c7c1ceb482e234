"""Servers of Redis: which one is the primary, by what Sentinels or the nodes of a Cluster say, and what follows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FindPrimary = Callable[[], tuple[str, int]]
Places = Sequence[tuple[str, int]]


@dataclass(slots=True)
class _Witnesses:
    """Those who know the primary, each asked once and shortly; the one that answered last is asked first."""

    places: Places
    options: Mapping[str, Any] = field(repr=False)
    _first: int = field(default=0, init=False, repr=False)

    def __call__(self) -> tuple[str, int]:
        """Host and port; raises redis-py's errors, those of the last one that was asked."""
        import redis

        failure: redis.RedisError = redis.ConnectionError("REDIS_URL names nobody who could be asked")
        for number in range(self._first, self._first + len(self.places)):
            place = number % len(self.places)
            try:
                found = self._ask(*self.places[place])
            except redis.RedisError as error:
                failure = error
            else:
                self._first = place
                return found
        raise failure

    def _ask(self, host: str, port: int) -> tuple[str, int]:
        raise NotImplementedError

    def _once(self) -> dict[str, Any]:
        """Without redis-py's retries: ten of them, each waiting for one that is cut off, while another one would answer."""
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        return {**self.options, "retry": Retry(NoBackoff(), 0)}


@dataclass(slots=True)
class SentinelPrimary(_Witnesses):
    """The primary of this name, as the first Sentinel says that knows it."""

    name: str

    def _ask(self, host: str, port: int) -> tuple[str, int]:
        from redis.sentinel import Sentinel

        asked = Sentinel([(host, port)], sentinel_kwargs=self._once())  # type: ignore[no-untyped-call]
        try:
            found, at = asked.discover_master(self.name)  # type: ignore[no-untyped-call]
        finally:
            for sentinel in asked.sentinels:
                sentinel.close()
        return str(found), int(at)


@dataclass(slots=True)
class ClusterPrimary(_Witnesses):
    """The node that serves the hash slot of `key`, as the first node says for which the cluster is in order.

    One that was cut off from the others says of itself that it is not.
    """

    key: str

    def _ask(self, host: str, port: int) -> tuple[str, int]:
        import redis
        from redis.crc import key_slot

        slot = key_slot(self.key.encode())
        with redis.Redis(host, port, **self._once(), decode_responses=True) as node:
            if node.execute_command("CLUSTER INFO")["cluster_state"] == "ok":
                for first, last, (found, at, *_), *_replicas in node.execute_command("CLUSTER SLOTS"):
                    if first <= slot <= last:
                        return str(found or host), int(at)  # without a host: the same as the node's own
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
