"""Whether the queues are there, are consumed, and take what is published."""

from __future__ import annotations

from typing import Any

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker, ConnectionBlockedTimeout, NackError, UnroutableError

from shared.core.errors import RabbitUnavailable
from shared.ledger.history_queues import history_queues
from shared.ledger.topology import DEAD_LETTERS, NOT_FOUND, RETRIES, UPDATED
from shared.operations.readiness import BROADCAST, RECORD, BrokerFinding
from shared.stores.rabbitmq.connection import open_connection

QUEUE = "readiness_probe_queue"
PATIENCE_SECONDS = 1.5
_ARGUMENTS = {"x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "drop-head"}


class RabbitProbe:
    """Publishes to a queue of its own, on a connection that is kept from one call to the next; for one thread alone.

    `queues` is how many carry updates.
    """

    def __init__(self, amqp_url: str, *, ca_file: str, queues: int = 1) -> None:
        self._amqp_url = amqp_url
        self._ca_file = ca_file
        self._consumed = dict.fromkeys(history_queues(queues), RECORD) | {UPDATED: BROADCAST}
        self._queues = self._consumed | dict.fromkeys((*RETRIES, DEAD_LETTERS), RECORD)
        self._connection: pika.BlockingConnection | None = None

    def __call__(self) -> BrokerFinding:
        """Raises RabbitUnavailable when the broker does not answer."""
        if self._connection is None:
            self._connection = open_connection(
                self._amqp_url, self._ca_file, connect_seconds=PATIENCE_SECONDS, blocked_seconds=PATIENCE_SECONDS
            )
        try:
            problems = self._look_at_queues(self._connection)
            if reason := self._cannot_publish(self._connection):
                problems = {RECORD: reason, BROADCAST: reason} | problems
        except (AMQPError, OSError) as error:
            self.close()
            raise RabbitUnavailable from error
        return BrokerFinding(problems)

    def close(self) -> None:
        """End the connection; the next call makes another."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.is_open:
            try:
                connection.close()
            except (AMQPError, OSError):
                return  # it has ended, then

    def _look_at_queues(self, connection: Any) -> dict[str, str]:
        problems: dict[str, str] = {}
        channel = connection.channel()
        for name, capability in self._queues.items():
            try:
                consumers = channel.queue_declare(name, passive=True).method.consumer_count
            except ChannelClosedByBroker as error:
                is_missing = error.reply_code == NOT_FOUND
                problems.setdefault(capability, f"the queue {name} {'is missing' if is_missing else 'cannot be used'}")
                channel = connection.channel()
                continue
            if name in self._consumed and not consumers:
                problems.setdefault(capability, f"nothing consumes {name}")
        channel.close()
        return problems

    def _cannot_publish(self, connection: Any) -> str:
        """Why not, or nothing."""
        channel = connection.channel()
        channel.confirm_delivery()
        try:
            try:
                _publish(channel)
            except UnroutableError:
                channel.queue_declare(QUEUE, durable=True, arguments=_ARGUMENTS)
                _publish(channel)
        except NackError:
            return "RabbitMQ refuses messages (nack)"
        except ConnectionBlockedTimeout:
            self.close()
            return "RabbitMQ takes no messages (memory or disk alarm)"
        channel.close()
        return ""


def _publish(channel: Any) -> None:
    channel.basic_publish("", QUEUE, b"{}", pika.BasicProperties(delivery_mode=2), mandatory=True)
