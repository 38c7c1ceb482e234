"""Declare queues that are missing: deleted by accident, or the broker came back empty."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from shared.core.errors import RabbitUnavailable
from shared.core.logs import get_logger
from shared.ledger.catch_up import publish_again
from shared.ledger.ports import EventPublisher
from shared.stores.everywhere import everywhere

if TYPE_CHECKING:
    from shared.ledger.queues import Topology
    from shared.ledger.redis import Outbox


_log = get_logger(__name__)


def heal_topology(topology: Topology, outboxes: Iterable[Outbox], publisher: EventPublisher) -> list[str]:
    """Returns the names of the queues that were missing. Safe to run side by side, and quiet when the broker is away.

    What the broker had confirmed and lost with them is still in the outbox of its shard; of the processes that find them missing
    one publishes it again.
    """
    declared: list[str] = []
    with suppress(RabbitUnavailable):
        declared = topology.restore()
        if declared:
            _log.warning("queues were missing and are declared again", extra={"queues": declared})

        def publish(outbox: Outbox) -> None:
            if outbox.claim_relay(f"lost:{','.join(declared)}"):
                published = publish_again(outbox, publisher, outbox.newest_id())
                _log.warning("events published again that the broker may have lost", extra={"published": published})

        if declared:
            everywhere(outboxes, publish)
    return declared
