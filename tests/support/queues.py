"""The queues of a deployed scoreboard, looked into and taken away by tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shared.container import Container
from shared.stores.rabbitmq.connection import open_connection


class Queues:
    """Of the RabbitMQ that `deployed` speaks to."""

    def __init__(self, deployed: Container) -> None:
        self.deployed = deployed

    @contextmanager
    def channel(self) -> Iterator[Any]:
        """One of its own connection."""
        connection = open_connection(self.deployed.settings.amqp_url, self.deployed.settings.amqp_ca_file)
        try:
            yield connection.channel()
        finally:
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
