"""The way of an update with the real scripts, the real ledger and real message bodies, and a broker that does what it is told.

Only RabbitMQ is a list here: a real one cannot be told to lose this confirm and to deliver that message twice. Time passes when
somebody sleeps.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import redis

from shared.boards.board import MAIN
from shared.core.errors import BadMessage, PostgresUnavailable, RabbitUnavailable, RedisUnavailable
from shared.ledger.dead_letter import WholeLetter
from shared.ledger.events import ReceivedMessage, RefusedMessage, ScoreAccepted, ScoresRecorded, Unpublished
from shared.ledger.messages import EventCodec
from shared.ledger.ports import QueueState
from shared.ledger.postgresql import Ledger
from shared.ledger.record_scores import record_scores
from shared.ledger.redis import Outbox
from shared.stores.keys import ShardKeys
from shared.stores.sealing import Sealer


class Killed(BaseException):
    """The process died here: nothing after this happened, and nobody was told."""


class Fate(Enum):
    """What becomes of the process and of the broker between the script and the answer."""

    GOOD = "published, confirmed, answered"
    KILLED_BEFORE_PUBLISHING = "the process dies with the event in the outbox only"
    BROKER_AWAY = "nothing is published, and answered all the same"
    CONFIRM_LOST = "the broker has it, the process does not know, and answers"
    BROKER_LOSES_IT = "the broker confirms it and loses it, and it is answered"
    KILLED_BEFORE_CONFIRM = "the broker has it, the process does not know, and nobody is answered"
    KILLED_BEFORE_ANSWERING = "all is done, and nobody is answered"
    REDIS_EMPTIED = "Redis loses everything before the broker has it"


class Crash(Enum):
    """Where the consumer dies."""

    NOT = "it lives"
    BEFORE_COMMIT = "nothing is written, the batch returns"
    AFTER_COMMIT = "everything is written, the batch returns all the same"
    REDIS_AWAY = "it lives, and what it recorded stays in the outbox"


class WorldClock:
    """The port Clock: sleeping takes no time; `meanwhile` happens."""

    def __init__(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self._slept = 0.0
        self._meanwhile = meanwhile

    def now(self) -> datetime:
        """The real instant: Redis and PostgreSQL have their own."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """What was slept."""
        return self._slept

    def sleep(self, seconds: float) -> None:
        """At once."""
        self._slept += seconds
        self._meanwhile()


class ImpatientOutbox:
    """The port Outbox for the relay: what is there counts as old enough."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def pending(self, _older_than_seconds: float, limit: int) -> list[ScoreAccepted]:
        """Whatever its age."""
        return self._outbox.pending(0, limit)

    def unpublished(self, _older_than_seconds: float, limit: int) -> Unpublished:
        """Likewise."""
        return self._outbox.unpublished(0, limit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outbox, name)


class Interrupted:
    """A port between whose calls other things happen."""

    def __init__(self, port: Any, between: Callable[[], None]) -> None:
        self._port = port
        self._between = between

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self._between()
            return method(*arguments, **named)

        return call


class _FailingLedger:
    """A ledger whose database is away."""

    def record(self, *_: Any, **__: Any) -> Any:
        """Never."""
        raise PostgresUnavailable


class _FailingOutbox:
    """An outbox whose Redis is away."""

    def settle(self, _: Sequence[str]) -> None:
        """Never."""
        raise RedisUnavailable


class Broker:
    """The ports EventPublisher, Topology and QueueGauge, and the consumer behind the queue.

    `on_event` is told of each event handed over, `empty_redis` takes Redis away.
    """

    def __init__(
        self, sealer: Sealer, ledger: Ledger, outbox: Outbox, on_event: Callable[[ScoreAccepted], None], empty_redis: Any
    ) -> None:
        self.codec = EventCodec(sealer, MAIN.increments)
        self._ledger = ledger
        self._outbox = outbox
        self._on_event = on_event
        self._empty_redis = empty_redis
        self.fate = Fate.GOOD
        self.queue: list[ReceivedMessage] = []
        self.parked: list[RefusedMessage] = []
        self.has_consumer = True

    def publish_accepted(self, events: Sequence[ScoreAccepted], *, keep: bool = True) -> None:
        """As fate has it; what is kept in a process for later is lost with it, and nothing may depend on it."""
        for event in events:
            self._on_event(event)
        fate, self.fate = self.fate, Fate.GOOD
        if fate is Fate.KILLED_BEFORE_PUBLISHING:
            raise Killed
        if fate is Fate.BROKER_AWAY:
            raise RabbitUnavailable
        if fate is Fate.REDIS_EMPTIED:
            self._empty_redis()
        if fate is not Fate.BROKER_LOSES_IT:
            self.queue += [ReceivedMessage(self.codec.update(event)) for event in events]
        if fate is Fate.CONFIRM_LOST:
            raise RabbitUnavailable
        if fate is Fate.KILLED_BEFORE_CONFIRM:
            raise Killed
        self._outbox.published([event.outbox_id for event in events])
        if fate is Fate.KILLED_BEFORE_ANSWERING:
            raise Killed

    def publish_again(self, letters: Sequence[tuple[WholeLetter, bytes]], *, redriven: bool) -> None:
        """At once."""
        self.queue += [ReceivedMessage(body, whole.letter.attempts, redriven) for whole, body in letters]

    def publish_recorded(self, event: ScoresRecorded) -> None:
        """Viewers are no part of this."""

    def publish_rebuild(self) -> None:
        """Nor is who wakes the rebuild."""

    def publish_marker(self, marker_id: str) -> list[str]:
        """Behind everything that is in the queue now; a consumer comes to it."""
        self.queue.append(ReceivedMessage(self.codec.marker(marker_id)))
        if self.has_consumer:
            self.consume(len(self.queue))
        return [marker_id]

    def retry(self, messages: Sequence[RefusedMessage]) -> None:
        """Back into the queue with their attempts."""
        self.queue += [ReceivedMessage(message.body, message.attempts) for message in messages]

    def park(self, messages: Sequence[RefusedMessage]) -> None:
        """Among the dead letters."""
        self.parked += messages

    def redrive(self) -> list[str]:
        """All dead letters back into the queue; answers the request ids of updates among them."""
        redriven, self.parked = self.parked, []
        self.queue += [ReceivedMessage(message.body, message.attempts, redriven=True) for message in redriven]
        return [message.request_id for message in redriven if message.request_id]

    def discard(self, request_id: str) -> None:
        """The copies among the dead letters."""
        self.parked = [message for message in self.parked if message.request_id != request_id]

    def grow_older(self, by: timedelta) -> None:
        """What lies in the queues was accepted so much earlier."""
        self.queue = [replace(message, body=self._older(message.body, by)) for message in self.queue]
        self.parked = [replace(message, body=self._older(message.body, by)) for message in self.parked]

    def _older(self, body: bytes, by: timedelta) -> bytes:
        with suppress(BadMessage):
            opened = self.codec.open_update(body)
            if isinstance(opened, ScoreAccepted):
                return self.codec.update(opened._replace(accepted_at=opened.accepted_at - by))
        return body

    def read(self) -> QueueState:
        """What the relay asks for: whether there is a consumer."""
        return QueueState({"queue": len(self.queue)}, {"queue": int(self.has_consumer)}, len(self.queue), len(self.parked))

    def queue_of(self, user_id: str) -> str:
        """There is one."""
        return "queue"

    def consume(self, count: int, crash: Crash = Crash.NOT) -> None:
        """One batch from the head of the queue."""
        batch = self.queue[:count]
        if crash is Crash.BEFORE_COMMIT:
            away: Any = _FailingLedger()
            try:
                record_scores(batch, self.codec, away, self._topology, self, {"main": self._outbox}, WorldClock())
            except PostgresUnavailable:
                return
            raise AssertionError("a batch was settled without a database")
        outbox: Any = _FailingOutbox() if crash is Crash.REDIS_AWAY else self._outbox
        record_scores(batch, self.codec, self._ledger, self._topology, self, {"main": outbox}, WorldClock())
        if crash is not Crash.AFTER_COMMIT:
            del self.queue[: len(batch)]

    def waiting(self) -> set[str]:
        """Request ids in the queue."""
        found = set()
        for message in self.queue:
            with suppress(BadMessage):
                opened = self.codec.open_update(message.body)
                found.add(opened if isinstance(opened, str) else opened.request_id)
        return found

    @property
    def _topology(self) -> Any:
        return self


class RedisWorld:
    """What becomes of the keys of one board: all is lost, an earlier state is back, time passes."""

    def __init__(self, client: redis.Redis, shard: ShardKeys) -> None:
        self._redis: Any = client
        self._shard, self._board = shard, MAIN.keys(shard)

    def empty(self) -> None:
        """FLUSHALL."""
        if names := self._names():
            self._redis.delete(*names)

    def dump(self) -> dict[bytes, bytes]:
        """Everything that does not expire."""
        return {name: self._redis.dump(name) for name in self._names() if self._redis.ttl(name) == -1}

    def go_back(self, dump: dict[bytes, bytes]) -> None:
        """Another Redis serves the board, which has an earlier state; a connection to it has begun."""
        self.empty()
        for name, value in dump.items():
            self._redis.restore(name, 0, value)
        self._redis.hset(self._board.numbers, "server", "another")
        self._redis.hdel(self._board.numbers, "open")
        self._redis.set(self._board.server, "another")
        self._redis.zrem(self._shard.ended_sessions, "*")

    def grow_older(self, user_ids: Collection[str], by: timedelta) -> None:
        """All that is dated here, of an empty outbox, was so much earlier."""
        milliseconds, shard, board = round(by.total_seconds() * 1000), self._shard, self._board
        if int(self._redis.get(board.whole) or 0):
            self._redis.decrby(board.whole, milliseconds)
        if self._redis.hexists(board.numbers, "restored"):
            self._redis.hincrby(board.numbers, "restored", -milliseconds)
        for user_id in user_ids:
            own = shard.user(user_id)
            if instants := self._redis.lrange(own.requests, 0, -1):
                self._redis.delete(own.requests)
                self._redis.rpush(own.requests, *(int(instant) - milliseconds for instant in instants))
            for ticket in self._redis.zrange(own.spent_tickets, 0, -1):
                self._redis.zincrby(own.spent_tickets, -milliseconds, ticket)
        for user_id in self._redis.zrange(shard.rate_windows, 0, -1):
            self._redis.zincrby(shard.rate_windows, -milliseconds, user_id)
        results = self._redis.xrange(shard.results)
        self._redis.delete(shard.results)
        for name in {shard.user(fields[b"user_id"].decode()).result(fields[b"key_id"].decode()) for _, fields in results}:
            if self._redis.exists(name):
                self._redis.hincrby(name, "at", -milliseconds)
        for entry_id, fields in results:
            at, counter = entry_id.decode().split("-")
            self._redis.xadd(shard.results, fields, id=f"{int(at) - milliseconds}-{counter}")

    def _names(self) -> list[bytes]:
        return sorted(self._redis.scan_iter(f"{self._shard.prefix}*", count=1000))
