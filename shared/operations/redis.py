"""What operators ask of Redis: numbers, readiness, whose it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import redis

from shared.core.errors import ConfigurationError
from shared.core.redis_servers import lacking_replicas
from shared.core.redis_shards import FIRST
from shared.operations.installation import holder_of
from shared.operations.overview import BoardState
from shared.operations.readiness import RedisFinding
from shared.stores.keys import BoardKeys, ShardKeys
from shared.stores.redis.connection import translated
from shared.stores.redis.scripts import run_script

KEPT_SECONDS = 60
_REASONS = {
    "OOM": "Redis is full (maxmemory)",
    "READONLY": "Redis is read-only, for it is a replica",
    "NOREPLICAS": "Redis has fewer replicas than it must have (min-replicas-to-write)",
    "MISCONF": "Redis cannot write to its disk",
    "LOADING": "Redis is loading its data",
    "BUSY": "Redis is busy with a script",
    "MASTERDOWN": "Redis is a replica that has lost its primary",
    "CLUSTERDOWN": "the Redis Cluster is down",
    "MOVED": "another node of the Redis Cluster serves this board",
    "ASK": "another node of the Redis Cluster serves this board",
    "NOPERM": "the account in REDIS_URL lacks a permission",
}
_MORE_MEMORY = "Give it memory and start again; a private one has more with SCOREBOARD_MEMORY_MB (docs/operating.md, Memory)."


class BoardGauge:
    """The board and the outbox (Redis)."""

    def __init__(self, client: redis.Redis, keys: BoardKeys, shard: ShardKeys) -> None:
        self._redis: Any = client
        self._keys = (keys.leaderboard, keys.whole, shard.outbox)

    @translated()
    def read(self) -> BoardState:
        """In one round trip, whatever the number of players."""
        players, is_whole, accepted, outbox, oldest_ms = map(int, run_script(self._redis, "read_gauge", self._keys, ()))
        return BoardState(players, bool(is_whole), None if accepted < 0 else accepted, outbox, oldest_ms / 1000)


class QueueWatch:
    """Remembers when each queue was last seen empty (Redis): of a queue nobody can ask how old its oldest message is.

    A hash of instants. A queue that was never seen empty is taken to have been so until now.
    """

    def __init__(self, client: redis.Redis, keys: ShardKeys) -> None:
        self._redis: Any = client
        self._key = keys.queues_empty

    @translated()
    def waiting_since(self, messages: Mapping[str, int], now: datetime) -> dict[str, datetime]:
        """Since when, at the most, each queue that has messages has had some; the empty ones are noted."""
        now_ms = round(now.timestamp() * 1000)
        waiting = [queue for queue, count in messages.items() if count]
        with self._redis.pipeline(transaction=True) as pipeline:
            for queue, count in messages.items():
                (pipeline.hsetnx if count else pipeline.hset)(self._key, queue, now_ms)
            pipeline.hmget(self._key, [*waiting, ""])
            *_, instants = pipeline.execute()
        found = zip(waiting, instants, strict=False)
        return {queue: datetime.fromtimestamp(int(instant) / 1000, UTC) for queue, instant in found}


class RedisProbe:
    """Writes to a key of its own, and reads what tells whether there is a board and whose Redis it is.

    `on_missing` is called when there is no board, or updates are not numbered; it must not wait for anything. There must be
    so many `replicas`. `name` is the shard's.
    """

    def __init__(
        self,
        client: redis.Redis,
        keys: BoardKeys,
        shard: ShardKeys,
        on_missing: Callable[[], object],
        replicas: int = 0,
        name: str = FIRST,
    ) -> None:
        self._redis: Any = client
        self.name = name
        self._replicas = replicas
        self._whole = keys.whole
        self._keys = (shard.readiness_probe, keys.whole, keys.numbers, shard.installation)
        self._on_missing = on_missing

    @translated()
    def __call__(self) -> RedisFinding:
        """Raises RedisUnavailable when Redis does not answer."""
        try:
            is_whole, is_open, holder = run_script(self._redis, "probe", self._keys, (KEPT_SECONDS,))
        except (redis.ResponseError, redis.exceptions.BusyLoadingError) as error:
            return self._without_writing(reason_of(error))
        if not (is_whole and is_open):
            self._on_missing()
        return RedisFinding(
            bool(is_whole), bool(is_open), holder.decode(errors="replace") or None, unreplicated=self._lacking_replicas()
        )

    def _lacking_replicas(self) -> str:
        if not self._replicas:
            return ""
        return lacking_replicas(self._redis.info("replication"), self._replicas)

    def _without_writing(self, reason: str) -> RedisFinding:
        try:
            is_whole = bool(self._redis.exists(self._whole))
        except (redis.ResponseError, redis.exceptions.BusyLoadingError) as error:
            return RedisFinding(unreadable=reason_of(error), unwritable=reason)
        return RedisFinding(is_whole, unwritable=reason)


def reason_of(error: redis.RedisError) -> str:
    """In plain words; what Redis said beside its code is for the log alone."""
    code = error.status_code or str(error).partition(" ")[0]
    return _REASONS.get(code, f"Redis refuses to work ({code})")


class BoardMark:
    """The id of the installation, in a string of Redis; in further shards with the name of the shard."""

    def __init__(self, client: redis.Redis, keys: ShardKeys, shard: str = FIRST) -> None:
        self._redis: Any = client
        self._key = keys.installation
        self.shard = shard

    @translated()
    def holder(self) -> str | None:
        """Whose the store is; None when nobody marked it yet."""
        found = self._redis.get(self._key)
        return None if found is None else found.decode(errors="replace")

    @translated()
    def mark(self, installation_id: str) -> str:
        """Written where there is none, read in the same transaction.

        Raises ConfigurationError when the first shard's Redis is full: then nothing can be prepared.
        """
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.setnx(self._key, holder_of(installation_id, self.shard))
            pipeline.get(self._key)
            try:
                holder: bytes = pipeline.execute()[1]
            except redis.exceptions.OutOfMemoryError as error:
                if self.shard != FIRST:
                    raise
                raise ConfigurationError(f"{_REASONS['OOM']}. {_MORE_MEMORY}") from error
        return holder.decode(errors="replace")
