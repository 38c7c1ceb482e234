"""The queues: all durable quorum queues."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from shared.adapters.rabbitmq.connection import open_connection
from shared.domain.score import RefusedMessage
from shared.errors import RabbitUnavailable

HISTORY = "score_history_queue"
# One for each attempt: within a queue all wait equally long, so that nobody waits for the one in front.
RETRIES = ("score_history_queue.retry", "score_history_queue.retry.2", "score_history_queue.retry.3")
DEAD_LETTERS = "score_history_queue.dlq"
UPDATED = "score_updated_queue"
REBUILD = "leaderboard_rebuild_queue"
MAX_WAITING_BROADCASTS = 10_000

# No delivery limit on score_history_queue: a batch that returns because PostgreSQL is away counts against nobody.
QUEUES: dict[str, dict[str, Any]] = {
    HISTORY: {},
    # What waits here returns by itself when its time is over, and is not lost on the way.
    **{
        name: {
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": HISTORY,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
        for name in RETRIES
    },
    DEAD_LETTERS: {},
    # Only says that something changed: of very many the newest are enough.
    UPDATED: {"x-max-length": MAX_WAITING_BROADCASTS, "x-overflow": "drop-head"},
    # Wakes a function up: one message is as good as many.
    REBUILD: {"x-max-length": 1, "x-overflow": "drop-head"},
}


class RabbitTopology:
    """The port Topology. `retry_delays` are the seconds before the second, third and fourth attempt."""

    def __init__(self, amqp_url: str, *, ca_file: str, retry_delays: Sequence[float]) -> None:
        self._amqp_url = amqp_url
        self._retry_delays = retry_delays
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
            return sum(channel.queue_declare(name, passive=True).method.message_count for name in (HISTORY, *RETRIES))

    def retry(self, messages: Sequence[RefusedMessage]) -> None:
        """Into the queue of their attempt, to expire there after its delay."""
        self._publish((RETRIES[message.attempts - 1], message, self._retry_delays[message.attempts - 1]) for message in messages)

    def park(self, messages: Sequence[RefusedMessage]) -> None:
        """Into the dead-letter queue."""
        self._publish((DEAD_LETTERS, message, None) for message in messages)

    def _publish(self, messages: Iterable[tuple[str, RefusedMessage, float | None]]) -> None:
        """With headers that say why, when, how often tried and where from; each is confirmed before the next one goes out."""
        now = datetime.now(UTC)
        with self._channel() as channel:
            channel.confirm_delivery()
            for queue, message, delay in messages:
                when = "x-parked-at" if delay is None else "x-refused-at"
                headers = {"x-reason": message.reason, when: now.isoformat(), "x-attempts": message.attempts, "x-origin": HISTORY}
                properties = pika.BasicProperties(
                    content_type="application/json",
                    delivery_mode=2,
                    headers=headers,
                    message_id=message.request_id,
                    timestamp=int(now.timestamp()),
                    expiration=None if delay is None else str(int(delay * 1000)),
                )
                channel.basic_publish("", queue, message.body, properties, mandatory=True)

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
