"""Declare queues that are missing: deleted by accident, or the broker came back empty."""

from __future__ import annotations

from shared.errors import RabbitUnavailable
from shared.logs import get_logger
from shared.ports import Topology

_log = get_logger(__name__)


def heal_topology(topology: Topology) -> list[str]:
    """Answer the names of the queues that were missing; safe to run side by side. Quiet when the broker is away."""
    try:
        declared = topology.restore()
    except RabbitUnavailable:
        return []
    if declared:
        _log.warning("queues were missing and are declared again", extra={"queues": declared})
    return declared
