"""Whose this broker (this virtual host) is."""

from __future__ import annotations

import re

from pika.exceptions import ChannelClosedByBroker

from shared.adapters.rabbitmq.connection import open_broker
from shared.adapters.rabbitmq.history_queues import MAX_HISTORY_QUEUES, history_queues
from shared.adapters.rabbitmq.topology import DEAD_LETTERS, RETRIES

EXCHANGE = "scoreboard_installation"
_NOT_FOUND, _PRECONDITION_FAILED = 404, 406
_CURRENT = re.compile(r"current is '([^']*)'")


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

    def sealed_messages(self) -> int:
        """By declaring the queues passively; one that is not there holds none."""
        total = 0
        with open_broker(self._amqp_url, self._ca_file) as connection:
            for name in (*history_queues(MAX_HISTORY_QUEUES), *RETRIES, DEAD_LETTERS):
                try:
                    total += connection.channel().queue_declare(name, passive=True).method.message_count
                except ChannelClosedByBroker as error:
                    if error.reply_code != _NOT_FOUND:
                        raise
        return total
