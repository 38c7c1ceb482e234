"""The queues: all durable quorum queues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from shared.adapters.rabbitmq.connection import open_connection
from shared.errors import RabbitUnavailable

HISTORY = "score_history_queue"
RETRY = "score_history_queue.retry"
DEAD_LETTERS = "score_history_queue.dlq"
UPDATED = "score_updated_queue"
MAX_WAITING_BROADCASTS = 10_000

# No delivery limit on score_history_queue: a batch that returns because PostgreSQL is away counts against nobody.
QUEUES: dict[str, dict[str, Any]] = {
    HISTORY: {},
    # What waits here returns by itself when its time is over, and is not lost on the way.
    RETRY: {
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": HISTORY,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    },
    DEAD_LETTERS: {},
    # Only says that something changed: of very many the newest are enough.
    UPDATED: {"x-max-length": MAX_WAITING_BROADCASTS, "x-overflow": "drop-head"},
}


class RabbitTopology:
    """The port Topology."""

    def __init__(self, amqp_url: str, *, ca_file: str) -> None:
        self._amqp_url = amqp_url
        self._ca_file = ca_file

    def declare(self) -> list[str]:
        """Declare every queue; one that exists with other arguments is an error of the broker's, told as it is."""
        with self._channel() as channel:
            for name, arguments in QUEUES.items():
                channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum", **arguments})
        return list(QUEUES)

    def backlog(self) -> int:
        """Updates that wait for the ledger, in the queue or for another try."""
        with self._channel() as channel:
            return sum(channel.queue_declare(name, passive=True).method.message_count for name in (HISTORY, RETRY))

    def park(self, messages: Sequence[tuple[bytes, str]]) -> None:
        """Put (body, reason) pairs into the dead-letter queue with headers that say why, when and where from, confirmed."""
        if not messages:
            return
        now = datetime.now(UTC)
        with self._channel() as channel:
            channel.confirm_delivery()
            for body, reason in messages:
                headers = {"x-reason": reason, "x-parked-at": now.isoformat(), "x-attempts": 1, "x-origin": HISTORY}
                properties = pika.BasicProperties(
                    content_type="application/json", delivery_mode=2, headers=headers, timestamp=int(now.timestamp())
                )
                channel.basic_publish("", DEAD_LETTERS, body, properties, mandatory=True)

    @contextmanager
    def _channel(self) -> Iterator[BlockingChannel]:
        connection = open_connection(self._amqp_url, self._ca_file)
        try:
            try:
                yield connection.channel()
            finally:
                if connection.is_open:
                    connection.close()
        except (AMQPError, OSError) as error:
            raise RabbitUnavailable from error
