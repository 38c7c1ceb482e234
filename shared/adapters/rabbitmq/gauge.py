"""How long the queues are."""

from __future__ import annotations

from shared.adapters.rabbitmq.connection import open_channel
from shared.adapters.rabbitmq.history_queues import history_queues
from shared.adapters.rabbitmq.topology import DEAD_LETTERS, RETRIES, UPDATED
from shared.domain.overview import QueueState


class RabbitQueueGauge:
    """The port QueueGauge; `queues` is how many carry updates."""

    def __init__(self, amqp_url: str, *, ca_file: str, queues: int = 1) -> None:
        self._amqp_url = amqp_url
        self._ca_file = ca_file
        self._on_their_way = (*history_queues(queues), *RETRIES)

    def read(self) -> QueueState:
        """By declaring them passively, which changes nothing."""
        with open_channel(self._amqp_url, self._ca_file) as channel:
            messages = {
                name: int(channel.queue_declare(name, passive=True).method.message_count)
                for name in (*self._on_their_way, DEAD_LETTERS, UPDATED)
            }
        return QueueState(messages, sum(messages[name] for name in self._on_their_way), messages[DEAD_LETTERS])
