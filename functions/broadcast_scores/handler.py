"""score_updated_queue: boards to those who watch them, once for however many changes the batch tells of."""

from __future__ import annotations

from collections.abc import Sequence

from shared.container import container
from shared.transport.queue import QueueMessage, queue_handler
from shared.viewers.broadcast_scores import broadcast_scores, heed_changes
from shared.viewers.broadcast_views import boards_of, broadcast_views, of_main


@queue_handler
def lambda_handler(messages: Sequence[QueueMessage]) -> None:
    """A message that does not decrypt moves nobody."""
    deps = container()
    changes = heed_changes([message.body for message in messages], deps.event_codec)
    if main := of_main(changes):
        broadcast_scores(main, deps.board, deps.leaderboard, deps.names, deps.viewers, deps.publisher, deps.clock)
    broadcast_views(boards_of(changes), deps.shards, deps.board_views, deps.publisher, deps.clock)
