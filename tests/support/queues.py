"""The queues of a deployed scoreboard, looked into and taken away by tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pika
from pika.exceptions import ChannelClosedByBroker

from shared.container import Container
from shared.ledger.queues import MAX_HISTORY_QUEUES, QUEUES, history_queues
from shared.operations.rabbitmq import EXCHANGE
from shared.stores.rabbitmq.connection import connection_parameters, open_broker


def patient_connection(parameters: Sequence[pika.URLParameters]) -> pika.BlockingConnection:
    """One without heartbeats: a test may be away from it for longer than the broker would wait for them."""
    for each in parameters:
        each.heartbeat = 0
    return pika.BlockingConnection(parameters)


def empty_broker(amqp_url: str, ca_file: str) -> None:
    """Drop what waits in the queues, and the mark of the installation that used it."""
    with open_broker(amqp_url, ca_file) as connection:
        connection.channel().exchange_delete(EXCHANGE)
        for name in {*QUEUES, *history_queues(MAX_HISTORY_QUEUES)}:
            with suppress(ChannelClosedByBroker):  # there is none
                connection.channel().queue_purge(name)


class Queues:
    """Of the RabbitMQ that `deployed` speaks to."""

    def __init__(self, deployed: Container) -> None:
        self.deployed = deployed

    @contextmanager
    def channel(self) -> Iterator[Any]:
        """One of its own connection."""
        settings = self.deployed.settings
        connection = patient_connection(connection_parameters(settings.amqp_url, settings.amqp_ca_file))
        try:
            yield connection.channel()
        finally:
            if connection.is_open:  # a broker that is declaring a queue may have ended it
                connection.close()

    def drain(self, queue: str) -> list[tuple[Any, bytes]]:
        """Take every message out: (properties, body)."""
        found: list[tuple[Any, bytes]] = []
        with self.channel() as channel:
            while True:
                method, properties, body = channel.basic_get(queue, auto_ack=True)
                if method is None:
                    return found
                found.append((properties, body))

    @contextmanager
    def without(self, queue: str) -> Iterator[None]:
        """For as long as the block lasts."""
        with self.channel() as channel:
            channel.queue_delete(queue)
        try:
            yield
        finally:
            self.deployed.topology.declare()
