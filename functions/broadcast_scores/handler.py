"""score_updated_queue: the board to every viewer, once for however many changes the batch tells of."""

from __future__ import annotations

from collections.abc import Sequence

from shared.container import container
from shared.transport.queue import QueueMessage, queue_handler
from shared.viewers.broadcast_scores import broadcast_scores, heed_changes


@queue_handler
def lambda_handler(messages: Sequence[QueueMessage]) -> None:
    """A message that does not decrypt moves nobody."""
    deps = container()
    changes = heed_changes([message.body for message in messages], deps.event_codec)
    if changes:
        broadcast_scores(changes, deps.leaderboard, deps.names, deps.viewers, deps.publisher, deps.clock)
