"""A bench for queue functions: batches go in, and the queues they write to are looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from local_runtime.events.queue import QueueDelivery, queue_event
from shared.adapters.rabbitmq.codec import RabbitEventCodec
from shared.adapters.rabbitmq.connection import open_connection
from shared.domain.score import ScoreAccepted
from shared.wiring import Container
from tests.handlers.events import invoke

DEAD_LETTERS, UPDATED, HISTORY = "score_history_queue.dlq", "score_updated_queue", "score_history_queue"
RETRIES = ("score_history_queue.retry", "score_history_queue.retry.2", "score_history_queue.retry.3")
ACCEPTED_AT = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)


class Properties:
    """What pika knows of a message with nothing but headers."""

    def __init__(self, headers: dict[str, Any] | None = None) -> None:
        self.headers = headers

    def __getattr__(self, name: str) -> None:
        return None


class Bench:
    """Messages for the consumer, and the queues it writes to."""

    def __init__(self, deployed: Container) -> None:
        self.deployed = deployed
        self.codec = RabbitEventCodec(deployed.sealer)
        for queue in (DEAD_LETTERS, UPDATED, *RETRIES):
            self.drain(queue)

    def event(self, user_id: str, increment: int = 1) -> ScoreAccepted:
        return ScoreAccepted(str(uuid4()), user_id, increment, increment, ACCEPTED_AT, "198.51.100.7")

    def record(self, *bodies: bytes, **headers: object) -> None:
        assert self.deliver("record_scores", HISTORY, *bodies, **headers) is None

    def deliver(self, function: str, queue: str, *bodies: bytes, **headers: object) -> Any:
        """Invoke a function with a batch, as the mapping does."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        batch = [QueueDelivery(tag, False, Properties(named), body) for tag, body in enumerate(bodies, 1)]
        return invoke(function, queue_event("arn", queue, "/", batch))

    def drain(self, queue: str) -> list[tuple[Any, bytes]]:
        found: list[tuple[Any, bytes]] = []
        with self.channel() as channel:
            while True:
                method, properties, body = channel.basic_get(queue, auto_ack=True)
                if method is None:
                    return found
                found.append((properties, body))

    def told(self) -> list[int]:
        """Numbers of updates that the broadcast was told of."""
        return [self.deployed.event_codec.open_recorded(body).updates for _, body in self.drain(UPDATED)]

    @contextmanager
    def without(self, queue: str) -> Iterator[None]:
        with self.channel() as channel:
            channel.queue_delete(queue)
        try:
            yield
        finally:
            self.deployed.topology.declare()

    @contextmanager
    def channel(self) -> Iterator[Any]:
        connection = open_connection(self.deployed.settings.amqp_url, self.deployed.settings.amqp_ca_file)
        try:
            yield connection.channel()
        finally:
            connection.close()
