"""How the queues of updates are declared, retried and parked (RabbitMQ)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import pika
from pika.exceptions import ChannelClosedByBroker, UnroutableError

from shared.core.logs import get_logger
from shared.core.tls_versions import AMQP_TLS_MINIMUM, TlsVersion
from shared.ledger.events import RefusedMessage
from shared.ledger.queues import DEAD_LETTERS, HISTORY, MAX_HISTORY_QUEUES, QUEUES, RETRIES, WITHOUT_LIMIT, history_queues
from shared.stores.rabbitmq.connection import open_broker, open_channel
from shared.stores.rabbitmq.consuming import count_messages, take_messages

MISSING_SECONDS = 1.0
NOT_FOUND, _PRECONDITION_FAILED = 404, 406
_NO_SUCH = "no queue "
_log = get_logger(__name__)


class Topology:
    """The queues (RabbitMQ).

    `retry_delays` are the seconds before the second, third and fourth attempt.

    `queues` is how many carry updates. Whichever of them one came through, it comes back through the first one.
    """

    def __init__(
        self,
        amqp_url: str,
        *,
        ca_file: str,
        retry_delays: Sequence[float],
        queues: int = 1,
        tls_minimum: TlsVersion = AMQP_TLS_MINIMUM,
    ) -> None:
        self._amqp_url = amqp_url
        self._retry_delays = retry_delays
        self._ca_file = ca_file
        self._tls_minimum = tls_minimum
        self._history = history_queues(queues)
        self._queues = QUEUES | dict.fromkeys(self._history, WITHOUT_LIMIT)

    def declare(self) -> list[str]:
        """Declare every queue; answer their names.

        One that exists with other arguments is an error of the broker's, told as it is. What lies in
        queues that carry no updates any more goes through the first one.
        """
        with open_broker(self._amqp_url, self._ca_file, self._tls_minimum) as connection:
            for name, arguments in self._queues.items():
                try:
                    _declare(connection, name, arguments)
                except ChannelClosedByBroker as error:
                    if error.reply_code != _PRECONDITION_FAILED or arguments is not WITHOUT_LIMIT:
                        raise
                    _declare(connection, name, {})
                    _log.warning(
                        "a queue made by an older version is kept: under RabbitMQ 4 give it the policy delivery-limit=-1",
                        extra={"queue": name},
                    )
            for name in history_queues(MAX_HISTORY_QUEUES)[len(self._history) :]:
                _empty(connection, name)
        return list(self._queues)

    def restore(self) -> list[str]:
        """Declare the queues that are missing; answer their names. One that exists is left alone, whatever its arguments.

        A queue must have been missing for a moment. RabbitMQ may take one that is declared at once for the one that was deleted:
        then it does not cancel the consumer, and the consumer is never given a message.
        """
        with open_broker(self._amqp_url, self._ca_file, self._tls_minimum) as connection:
            missing = [name for name in self._queues if not _exists(connection, name)]
            if missing:
                connection.sleep(MISSING_SECONDS)
            return [name for name in missing if self._restored(connection, name)]

    def _restored(self, connection: pika.BlockingConnection, name: str) -> bool:
        if _exists(connection, name):
            return False
        try:
            _declare(connection, name, self._queues[name])
        except ChannelClosedByBroker as error:
            if error.reply_code != _PRECONDITION_FAILED:  # another version was faster
                raise
        return True

    def backlog(self) -> int:
        """How many updates wait for the ledger, in the queue or for another try."""
        with open_channel(self._amqp_url, self._ca_file, self._tls_minimum) as channel:
            return sum(channel.queue_declare(name, passive=True).method.message_count for name in (*self._history, *RETRIES))

    def retry(self, messages: Sequence[RefusedMessage]) -> None:
        """Have messages come back after a delay that grows with their attempts (1 to 3), confirmed.

        Into the queue of their attempt, to expire there after its delay.
        """
        self._publish((RETRIES[message.attempts - 1], message, self._retry_delays[message.attempts - 1]) for message in messages)

    def park(self, messages: Sequence[RefusedMessage]) -> None:
        """Put messages into the dead-letter queue, confirmed."""
        self._publish((DEAD_LETTERS, message, None) for message in messages)

    def _publish(self, messages: Iterable[tuple[str, RefusedMessage, float | None]]) -> None:
        """With headers that say why, when, how often tried and where from; each is confirmed before the next one goes out."""
        now = datetime.now(UTC)
        with open_broker(self._amqp_url, self._ca_file, self._tls_minimum) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            for queue, message, delay in messages:
                when = "x-parked-at" if delay is None else "x-refused-at"
                headers = {
                    **message.trace,
                    "x-reason": message.reason,
                    when: now.isoformat(),
                    "x-attempts": message.attempts,
                    "x-origin": HISTORY,
                }
                properties = pika.BasicProperties(
                    content_type="application/json",
                    delivery_mode=2,
                    headers=headers,
                    message_id=message.request_id,
                    timestamp=int(now.timestamp()),
                    expiration=None if delay is None else str(int(delay * 1000)),
                )
                try:
                    channel.basic_publish("", queue, message.body, properties, mandatory=True)
                except UnroutableError:
                    self._restored(connection, queue)
                    channel.basic_publish("", queue, message.body, properties, mandatory=True)


def _exists(connection: pika.BlockingConnection, name: str) -> bool:
    channel = connection.channel()
    try:
        channel.queue_declare(name, passive=True)
    except ChannelClosedByBroker as error:
        if error.reply_code == NOT_FOUND and _NO_SUCH in error.reply_text:  # and not one whose node is down
            return False
        raise
    channel.close()
    return True


def _empty(connection: pika.BlockingConnection, name: str) -> None:
    """Into the first queue, each confirmed before it is acknowledged: a crash in between makes a copy, which counts once."""
    if not _exists(connection, name):
        return
    is_empty = False
    while not is_empty:
        channel = connection.channel()
        channel.confirm_delivery()
        for tag, properties, body in take_messages(channel, name):
            channel.basic_publish("", HISTORY, body, properties, mandatory=True)
            channel.basic_ack(tag)
        is_empty = count_messages(channel, name) == 0
        channel.close()


def _declare(connection: pika.BlockingConnection, name: str, arguments: dict[str, Any]) -> None:
    channel = connection.channel()
    channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum", **arguments})
    channel.close()
