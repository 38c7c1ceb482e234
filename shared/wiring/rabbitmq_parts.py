"""Ports behind which RabbitMQ stands; what it carries is sealed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from shared import ports
from shared.adapters.background import Background
from shared.wiring.crypto_parts import CryptoParts
from shared.wiring.postgresql_parts import PostgresParts
from shared.wiring.redis_parts import RedisParts

if TYPE_CHECKING:
    from shared.adapters.rabbitmq.publisher import RabbitPublisher
    from shared.services.catch_up import Pipeline


# When the broker is back, what its own process did not publish within this time was left behind.
RELAY_OLDER_THAN_SECONDS = 2.0


class RabbitParts(RedisParts, CryptoParts, PostgresParts):
    """One publishing connection; topology and dead letters open one of their own for as long as they need it."""

    @cached_property
    def _publisher(self) -> RabbitPublisher:
        from shared.adapters.rabbitmq.publisher import RabbitPublisher

        return RabbitPublisher(
            self.settings.amqp_url,
            ca_file=self.settings.amqp_ca_file,
            sealer=self.sealer,
            on_confirmed=self._note_published,
            on_unroutable=self._heal_topology,
            on_back=self._relay,
            queues=self.settings.history_queues,
            loop=self._loop,
        )

    @cached_property
    def _asking(self) -> Background:
        from shared.services.rebuild_leaderboard import ask_for_rebuild

        return Background("asking for the rebuild", lambda: ask_for_rebuild(self.leaderboard, self.publisher))

    def _ask_for_rebuild(self) -> None:
        self._asking.start()

    def _note_published(self, outbox_ids: Sequence[str]) -> None:
        """Not the outbox's own method: a function that publishes nothing from there needs no Redis."""
        self.outbox.published(outbox_ids)

    def _heal_topology(self) -> None:
        from shared.services.heal_topology import heal_topology

        heal_topology(self.topology, self.outbox, self.publisher)

    def _relay(self) -> None:
        """Of all processes that find the broker back, one does it."""
        from shared.services.relay_outbox import relay_outbox

        if self.outbox.claim_relay("left"):
            most = self.settings.outbox_max_entries
            relay_outbox(self.pipeline, self.queue_gauge, most, RELAY_OLDER_THAN_SECONDS)

    @cached_property
    def publisher(self) -> ports.EventPublisher:
        return self._publisher

    @cached_property
    def broker_mark(self) -> ports.BrokerMark:
        from shared.adapters.rabbitmq.installation import RabbitMark

        return RabbitMark(self.settings.amqp_url, ca_file=self.settings.amqp_ca_file)

    @cached_property
    def pipeline(self) -> Pipeline:
        from shared.services.catch_up import Pipeline

        return Pipeline(self.ledger, self.outbox, self.publisher, self.clock)

    @cached_property
    def topology(self) -> ports.Topology:
        from shared.adapters.rabbitmq.topology import RabbitTopology

        return RabbitTopology(
            self.settings.amqp_url,
            ca_file=self.settings.amqp_ca_file,
            retry_delays=self.settings.retry_delays_seconds,
            queues=self.settings.history_queues,
        )

    @cached_property
    def queue_gauge(self) -> ports.QueueGauge:
        from shared.adapters.rabbitmq.gauge import RabbitQueueGauge

        return RabbitQueueGauge(self.settings.amqp_url, ca_file=self.settings.amqp_ca_file, queues=self.settings.history_queues)

    @cached_property
    def dead_letter_queue(self) -> ports.DeadLetterQueue:
        from shared.adapters.rabbitmq.dead_letters import RabbitDeadLetterQueue

        return RabbitDeadLetterQueue(self.settings.amqp_url, ca_file=self.settings.amqp_ca_file)

    @cached_property
    def event_codec(self) -> ports.EventCodec:
        from shared.adapters.rabbitmq.codec import RabbitEventCodec

        return RabbitEventCodec(self.sealer)
