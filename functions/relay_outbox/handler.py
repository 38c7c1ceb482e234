"""Every minute, at start and when a queue is missing: declare what is missing, publish what a crash left in the outbox, and
refused updates whose copies are lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.container import AnyShard, container
from shared.core.errors import RedisUnavailable
from shared.core.logs import get_logger
from shared.ledger.heal_topology import heal_topology
from shared.ledger.relay_outbox import relay_outbox
from shared.ledger.resend_letters import resend_letters
from shared.transport.schedule import schedule_handler


@schedule_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """Answer `{"published": n}`, and `"resent": n` when there were refused updates to publish again."""
    deps = container()
    outboxes = [shard.outbox for shard in deps.everywhere]
    relayed: list[int] = []

    def relay(shard: AnyShard) -> None:
        try:
            relayed.append(relay_outbox(shard.pipeline, deps.queue_gauge, deps.settings.outbox_max_entries))
        except RedisUnavailable:
            if shard is deps.shards.first:
                raise
            # No reason not to start: what is left there is published when it is back.
            get_logger(__name__).warning("a shard is away", extra={"shard": shard.name})

    heal_topology(deps.topology, outboxes, deps.publisher)
    try:
        deps.in_each_shard(relay)
    finally:
        resent = resend_letters(deps.letters, deps.settings.retry_delays_seconds)
    published = sum(relayed)
    return {"published": published, **({"resent": resent} if resent else {})}
