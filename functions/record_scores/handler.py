"""score_history_queue: accepted updates into the ledger, a transaction a batch."""

from __future__ import annotations

from collections.abc import Sequence

from shared.services.record_scores import record_scores
from shared.transport.queue import QueueMessage, queue_handler
from shared.wiring import container


@queue_handler
def lambda_handler(messages: Sequence[QueueMessage]) -> None:
    """Returning acknowledges the batch; an error means that a store is away, and the batch comes back."""
    deps = container()
    bodies = [message.body for message in messages]
    record_scores(bodies, deps.event_codec, deps.ledger, deps.topology, deps.publisher)
