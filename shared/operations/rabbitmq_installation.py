"""Whose this broker (this virtual host) is."""

from __future__ import annotations

import re
from time import monotonic

import pika
from pika.exceptions import ChannelClosedByBroker

from shared.ledger.history_queues import MAX_HISTORY_QUEUES, history_queues
from shared.ledger.topology import DEAD_LETTERS, RETRIES
from shared.stores.rabbitmq.connection import open_broker

EXCHANGE = "scoreboard_installation"
EMPTY_SECONDS = 3.0
LOOK_SECONDS = 0.05
_NOT_FOUND, _PRECONDITION_FAILED = 404, 406
_CURRENT = re.compile(r"current is (?:the value )?'([^']*)'")


class RabbitMark:
    """The port BrokerMark: an exchange that nothing is published to, which names the installation as its alternate exchange.

    That argument is compared when an exchange is declared again, so a single declaration writes the mark and reads it.
    """

    def __init__(self, amqp_url: str, *, ca_file: str) -> None:
        self._amqp_url = amqp_url
        self._ca_file = ca_file

    def mark(self, installation_id: str) -> str:
        """By declaring the exchange."""
        with open_broker(self._amqp_url, self._ca_file) as connection:
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
        """By declaring queues passively; a queue that runs empty once in EMPTY_SECONDS holds nothing old."""
        with open_broker(self._amqp_url, self._ca_file) as connection:
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
