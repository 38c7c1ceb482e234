"""Declare queues that are missing: deleted by accident, or the broker came back empty."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from shared.core.errors import RabbitUnavailable, RedisUnavailable
from shared.core.logs import get_logger
from shared.ledger.catch_up import publish_again
from shared.ledger.ports import EventPublisher

if TYPE_CHECKING:
    from shared.ledger.redis import Outbox
    from shared.ledger.topology_rabbitmq import Topology


_log = get_logger(__name__)


def heal_topology(topology: Topology, outboxes: Iterable[Outbox], publisher: EventPublisher) -> list[str]:
    """Returns the names of the queues that were missing. Safe to run side by side, and quiet when a store is away.

    What the broker had confirmed and lost with them is still in the outbox of its shard; of the processes that find them missing
    one publishes it again. For a shard that is away the relay does it, which finds that the ledger lacks it.
    """
    declared: list[str] = []
    with suppress(RabbitUnavailable):
        declared = topology.restore()
        if declared:
            _log.warning("queues were missing and are declared again", extra={"queues": declared})

        for outbox in outboxes if declared else ():
            try:
                if outbox.claim_relay(f"lost:{','.join(declared)}"):
                    published = publish_again(outbox, publisher, outbox.newest_id())
                    _log.warning("events published again that the broker may have lost", extra={"published": published})
            except RedisUnavailable:
                _log.warning("a shard is away; what the broker lost of it is published later", extra={"shard": outbox.shard})
    return declared
