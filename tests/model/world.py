"""The way of an update with the real scripts, the real ledger and real message bodies, and a broker that does what it is told.

Only RabbitMQ is a list here: a real one cannot be told to lose this confirm and to deliver that message twice. Time passes when
somebody sleeps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from shared.adapters.rabbitmq.codec import RabbitEventCodec
from shared.domain.overview import QueueState
from shared.domain.score import ReceivedMessage, RefusedMessage, ScoreAccepted, ScoresRecorded, Unpublished
from shared.errors import BadMessage, PostgresUnavailable, RabbitUnavailable, RedisUnavailable
from shared.ports import Ledger, Outbox, Sealer
from shared.services.record_scores import record_scores


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
        self.codec = RabbitEventCodec(sealer)
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
                record_scores(batch, self.codec, away, self._topology, self, self._outbox, WorldClock())
            except PostgresUnavailable:
                return
            raise AssertionError("a batch was settled without a database")
        outbox: Any = _FailingOutbox() if crash is Crash.REDIS_AWAY else self._outbox
        record_scores(batch, self.codec, self._ledger, self._topology, self, outbox, WorldClock())
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
