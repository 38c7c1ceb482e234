"""What operators ask of RabbitMQ: numbers, readiness, whose it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from time import monotonic
from typing import Any

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker, ConnectionBlockedTimeout, NackError, UnroutableError

from shared.core.errors import RabbitUnavailable
from shared.core.tls_versions import AMQP_TLS_MINIMUM, TlsVersion
from shared.ledger.ports import QueueState
from shared.ledger.queues import DEAD_LETTERS, MAX_HISTORY_QUEUES, RETRIES, UPDATED, history_queues, queue_of
from shared.ledger.topology_rabbitmq import NOT_FOUND
from shared.operations.readiness import BROADCAST, RECORD, BrokerFinding
from shared.stores.rabbitmq.connection import open_broker, open_channel, open_connection

QUEUE = "readiness_probe_queue"
PATIENCE_SECONDS = 1.5
_ARGUMENTS = {"x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "drop-head"}
EXCHANGE = "scoreboard_installation"
EMPTY_SECONDS = 3.0
LOOK_SECONDS = 0.05
_NOT_FOUND, _PRECONDITION_FAILED = 404, 406
_CURRENT = re.compile(r"current is (?:the value )?'([^']*)'")


class RabbitQueueGauge:
    """The port QueueGauge; `queues` is how many carry updates."""

    def __init__(self, amqp_url: str, *, ca_file: str, queues: int = 1, tls_minimum: TlsVersion = AMQP_TLS_MINIMUM) -> None:
        self._amqp_url = amqp_url
        self._ca_file = ca_file
        self._tls_minimum = tls_minimum
        self._history = history_queues(queues)
        self._on_their_way = (*self._history, *RETRIES)

    def read(self) -> QueueState:
        """By declaring them passively, which changes nothing."""
        with open_channel(self._amqp_url, self._ca_file, self._tls_minimum) as channel:
            told = {
                name: channel.queue_declare(name, passive=True).method for name in (*self._on_their_way, DEAD_LETTERS, UPDATED)
            }
        messages = {name: int(said.message_count) for name, said in told.items()}
        consumers = {name: int(said.consumer_count) for name, said in told.items()}
        return QueueState(messages, consumers, sum(messages[name] for name in self._on_their_way), messages[DEAD_LETTERS])

    def queue_of(self, user_id: str) -> str:
        """By the hash that the publisher goes by."""
        return queue_of(user_id, self._history)


class RabbitProbe:
    """Publishes to a queue of its own, on a connection that is kept from one call to the next; for one thread alone.

    `queues` is how many carry updates. `on_missing` is called, and must not wait, whenever a queue is found missing.
    """

    def __init__(
        self,
        amqp_url: str,
        *,
        ca_file: str,
        queues: int = 1,
        on_missing: Callable[[], object] = lambda: None,
        tls_minimum: TlsVersion = AMQP_TLS_MINIMUM,
    ) -> None:
        self._amqp_url = amqp_url
        self._ca_file = ca_file
        self._tls_minimum = tls_minimum
        self._consumed = dict.fromkeys(history_queues(queues), RECORD) | {UPDATED: BROADCAST}
        self._queues = self._consumed | dict.fromkeys((*RETRIES, DEAD_LETTERS), RECORD)
        self._on_missing = on_missing
        self._connection: pika.BlockingConnection | None = None

    def __call__(self) -> BrokerFinding:
        """Raises RabbitUnavailable when the broker does not answer."""
        if self._connection is None:
            self._connection = open_connection(
                self._amqp_url,
                self._ca_file,
                self._tls_minimum,
                connect_seconds=PATIENCE_SECONDS,
                blocked_seconds=PATIENCE_SECONDS,
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
        is_any_missing = False
        channel = connection.channel()
        for name, capability in self._queues.items():
            try:
                consumers = channel.queue_declare(name, passive=True).method.consumer_count
            except ChannelClosedByBroker as error:
                is_missing = error.reply_code == NOT_FOUND
                is_any_missing |= is_missing
                problems.setdefault(capability, f"the queue {name} {'is missing' if is_missing else 'cannot be used'}")
                channel = connection.channel()
                continue
            if name in self._consumed and not consumers:
                problems.setdefault(capability, f"nothing consumes {name}")
        channel.close()
        if is_any_missing:
            self._on_missing()
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


class BrokerMark:
    """The mark of RabbitMQ.

    An exchange that nothing is published to, which names the installation as its alternate exchange.

    That argument is compared when an exchange is declared again, so a single declaration writes the mark and reads it.
    """

    def __init__(self, amqp_url: str, *, ca_file: str, tls_minimum: TlsVersion = AMQP_TLS_MINIMUM) -> None:
        self._amqp_url = amqp_url
        self._ca_file = ca_file
        self._tls_minimum = tls_minimum

    def mark(self, installation_id: str) -> str:
        """By declaring the exchange."""
        with open_broker(self._amqp_url, self._ca_file, self._tls_minimum) as connection:
            try:
                connection.channel().exchange_declare(
                    EXCHANGE, "fanout", durable=True, internal=True, arguments={"alternate-exchange": installation_id}
                )
            except ChannelClosedByBroker as error:
                if error.reply_code != _PRECONDITION_FAILED:
                    raise
                current = _CURRENT.search(error.reply_text)
                return current[1] if current else error.reply_text
        return installation_id

    def waiting(self) -> tuple[int, int]:
        """How many updates are in queues that do not run empty now, and how many dead letters there are.

        By declaring queues passively; a queue that runs empty once in EMPTY_SECONDS holds nothing old.
        """
        with open_broker(self._amqp_url, self._ca_file, self._tls_minimum) as connection:
            left = {name: _messages(connection, name) for name in (*history_queues(MAX_HISTORY_QUEUES), *RETRIES)}
            ends_at = monotonic() + EMPTY_SECONDS
            while (left := {name: count for name, count in left.items() if count}) and monotonic() < ends_at:
                connection.sleep(LOOK_SECONDS)
                left = {name: _messages(connection, name) for name in left}
            return sum(left.values()), _messages(connection, DEAD_LETTERS)


def _messages(connection: pika.BlockingConnection, queue: str) -> int:
    """Of a queue that is not there: none."""
    channel = connection.channel()
    try:
        count: int = channel.queue_declare(queue, passive=True).method.message_count
    except ChannelClosedByBroker as error:
        if error.reply_code != _NOT_FOUND:
            raise
        return 0
    channel.close()
    return count
