"""Every minute, at start and when a queue is missing: declare what is missing, publish what a crash left in the outbox, and
refused updates whose copies are lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.container import container
from shared.ledger.heal_topology import heal_topology
from shared.ledger.relay_outbox import relay_outboxes
from shared.ledger.resend_letters import resend_letters
from shared.transport.schedule import schedule_handler


@schedule_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """Answer `{"published": n}`, and `"resent": n` when there were refused updates to publish again."""
    deps = container()
    pipelines = [shard.pipeline for shard in deps.everywhere]
    heal_topology(deps.topology, [pipeline.outbox for pipeline in pipelines], deps.publisher)
    try:
        published = relay_outboxes(pipelines, deps.queue_gauge, deps.settings.outbox_max_entries)
    finally:
        resent = resend_letters(deps.letters, deps.settings.retry_delays_seconds)
    return {"published": published, **({"resent": resent} if resent else {})}
