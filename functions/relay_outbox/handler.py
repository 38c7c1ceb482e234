"""Every minute, at start and when a queue is missing: declare what is missing, publish what a crash left in the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.services.heal_topology import heal_topology
from shared.services.relay_outbox import relay_outbox
from shared.transport.schedule import schedule_handler
from shared.wiring import container


@schedule_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """Answer `{"published": n}`."""
    deps = container()
    heal_topology(deps.topology, deps.outbox, deps.publisher)
    return {"published": relay_outbox(deps.pipeline, deps.queue_gauge, deps.settings.outbox_max_entries)}
