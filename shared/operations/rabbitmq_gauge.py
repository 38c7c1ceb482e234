"""How long the queues are."""

from __future__ import annotations

from shared.ledger.history_queues import history_queues, queue_of
from shared.ledger.ports import QueueState
from shared.ledger.topology import DEAD_LETTERS, RETRIES, UPDATED
from shared.stores.rabbitmq.connection import open_channel


class RabbitQueueGauge:
    """The port QueueGauge; `queues` is how many carry updates."""

    def __init__(self, amqp_url: str, *, ca_file: str, queues: int = 1) -> None:
        self._amqp_url = amqp_url
        self._ca_file = ca_file
        self._history = history_queues(queues)
        self._on_their_way = (*self._history, *RETRIES)

    def read(self) -> QueueState:
        """By declaring them passively, which changes nothing."""
        with open_channel(self._amqp_url, self._ca_file) as channel:
            told = {
                name: channel.queue_declare(name, passive=True).method for name in (*self._on_their_way, DEAD_LETTERS, UPDATED)
            }
        messages = {name: int(said.message_count) for name, said in told.items()}
        consumers = {name: int(said.consumer_count) for name, said in told.items()}
        return QueueState(messages, consumers, sum(messages[name] for name in self._on_their_way), messages[DEAD_LETTERS])

    def queue_of(self, user_id: str) -> str:
        """By the hash that the publisher goes by."""
        return queue_of(user_id, self._history)
