"""Ports behind which RabbitMQ stands; what it carries is sealed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from shared.container.crypto_parts import CryptoParts
from shared.container.postgresql_parts import PostgresParts
from shared.container.redis_parts import RedisParts
from shared.core.background import Background
from shared.ledger.ports import DeadLetterQueue, EventCodec, EventPublisher, QueueGauge, Topology
from shared.operations.ports import BrokerMark

if TYPE_CHECKING:
    from shared.ledger.catch_up import Pipeline
    from shared.ledger.messages import RabbitEventCodec
    from shared.ledger.publisher import RabbitPublisher


# When the broker is back, what its own process did not publish within this time was left behind.
RELAY_OLDER_THAN_SECONDS = 2.0


class RabbitParts(RedisParts, CryptoParts, PostgresParts):
    """One publishing connection; topology and dead letters open one of their own for as long as they need it."""

    @cached_property
    def _publisher(self) -> RabbitPublisher:
        from shared.ledger.publisher import RabbitPublisher

        return RabbitPublisher(
            self.settings.amqp_url,
            ca_file=self.settings.amqp_ca_file,
            codec=self._codec,
            on_confirmed=self._note_published,
            on_unroutable=self._heal_topology,
            on_back=self._relay,
            queues=self.settings.history_queues,
            loop=self._loop,
        )

    @cached_property
    def _asking(self) -> Background:
        from shared.boards.open_epoch import ask_for_rebuild

        return Background("asking for the rebuild", lambda: ask_for_rebuild(self.leaderboard, self.publisher))

    def _ask_for_rebuild(self) -> None:
        self._asking.start()

    def _note_published(self, outbox_ids: Sequence[str]) -> None:
        """Not the outbox's own method: a function that publishes nothing from there needs no Redis."""
        self.outbox.published(outbox_ids)

    @cached_property
    def _healing(self) -> Background:
        return Background("declaring missing queues", self._heal_topology)

    def _heal_topology(self) -> None:
        from shared.ledger.heal_topology import heal_topology

        heal_topology(self.topology, self.outbox, self.publisher)

    def _relay(self) -> None:
        """Of all processes that find the broker back, one does it."""
        from shared.ledger.relay_outbox import relay_outbox

        if self.outbox.claim_relay("left"):
            most = self.settings.outbox_max_entries
            relay_outbox(self.pipeline, self.queue_gauge, most, RELAY_OLDER_THAN_SECONDS)

    @cached_property
    def publisher(self) -> EventPublisher:
        return self._publisher

    @cached_property
    def broker_mark(self) -> BrokerMark:
        from shared.operations.rabbitmq import RabbitMark

        return RabbitMark(self.settings.amqp_url, ca_file=self.settings.amqp_ca_file)

    @cached_property
    def pipeline(self) -> Pipeline:
        from shared.ledger.catch_up import Pipeline

        return Pipeline(self.ledger, self.outbox, self.publisher, self.clock)

    @cached_property
    def topology(self) -> Topology:
        from shared.ledger.queues import RabbitTopology

        return RabbitTopology(
            self.settings.amqp_url,
            ca_file=self.settings.amqp_ca_file,
            retry_delays=self.settings.retry_delays_seconds,
            queues=self.settings.history_queues,
        )

    @cached_property
    def queue_gauge(self) -> QueueGauge:
        from shared.operations.rabbitmq import RabbitQueueGauge

        return RabbitQueueGauge(self.settings.amqp_url, ca_file=self.settings.amqp_ca_file, queues=self.settings.history_queues)

    @cached_property
    def dead_letter_queue(self) -> DeadLetterQueue:
        from shared.ledger.dead_letters_rabbitmq import RabbitDeadLetterQueue

        return RabbitDeadLetterQueue(self.settings.amqp_url, ca_file=self.settings.amqp_ca_file)

    @cached_property
    def event_codec(self) -> EventCodec:
        return self._codec

    @cached_property
    def _codec(self) -> RabbitEventCodec:
        from shared.boards.board import MAIN
        from shared.ledger.messages import RabbitEventCodec

        return RabbitEventCodec(self.sealer, MAIN)
