"""A bench for queue functions: batches go in, and the queues they write to are looked at."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from local_runtime.hosting.events.queue import QueueDelivery, queue_event
from shared.boards.board import MAIN
from shared.container import Container
from shared.ledger.events import ScoreAccepted
from shared.ledger.messages import EventCodec
from tests.handlers.events import invoke
from tests.support.queues import Queues

DEAD_LETTERS, UPDATED, HISTORY = "score_history_queue.dlq", "score_updated_queue", "score_history_queue"
RETRIES = ("score_history_queue.retry", "score_history_queue.retry.2", "score_history_queue.retry.3")
ACCEPTED_AT = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)


class Properties:
    """What pika knows of a message with nothing but headers."""

    def __init__(self, headers: dict[str, Any] | None = None) -> None:
        self.headers = headers

    def __getattr__(self, name: str) -> None:
        return None


class Bench(Queues):
    """Messages for the consumer, and the queues it writes to."""

    def __init__(self, deployed: Container) -> None:
        super().__init__(deployed)
        self.codec = EventCodec(deployed.sealer, MAIN.increments)
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

    def told(self) -> list[int]:
        """Numbers of updates that the broadcast was told of."""
        return [self.deployed.event_codec.open_recorded(body).updates for _, body in self.drain(UPDATED)]
