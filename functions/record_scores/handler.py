"""score_history_queue: accepted updates into the ledger, a transaction a batch."""

from __future__ import annotations

from collections.abc import Sequence

from shared.container import container
from shared.ledger.events import ReceivedMessage
from shared.ledger.record_scores import record_scores
from shared.operations.claim_stores import see_that_keys_fit
from shared.operations.hold_leases import leave_to_newer
from shared.transport.queue import QueueMessage, queue_handler


@queue_handler
def lambda_handler(messages: Sequence[QueueMessage]) -> None:
    """Returning acknowledges the batch; an error means that a store is away, or a key or a form unknown here: it comes back."""
    deps = container()
    received = [
        ReceivedMessage(
            message.body, message.whole_number("x-attempts"), "x-redriven-at" in message.headers, message.trace_headers
        )
        for message in messages
    ]
    record_scores(
        received,
        deps.event_codec,
        deps.ledger,
        deps.topology,
        deps.publisher,
        {shard.name: shard.outbox for shard in deps.everywhere},
        deps.clock,
        lambda: see_that_keys_fit(deps.ownership),
        lambda: leave_to_newer(deps.leases, deps.instance),
        lambda shard, user_ids: deps.shards.named(shard).leaderboard.suspect(user_ids),
    )
