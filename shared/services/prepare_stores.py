"""Make PostgreSQL, RabbitMQ and Redis ready to serve, however often and by however many it is called."""

from __future__ import annotations

from typing import Any

from shared.logs import get_logger
from shared.ports import Leaderboard, Ledger, Migrations, Topology

_log = get_logger(__name__)


def prepare_stores(migrations: Migrations, topology: Topology, leaderboard: Leaderboard, ledger: Ledger) -> dict[str, Any]:
    """Schema, queues, and a board that is filled from the ledger if Redis came up empty; answer what was done."""
    applied = migrations.apply()
    queues = topology.declare()
    players = 0
    if not leaderboard.is_whole() and not topology.backlog():
        players = leaderboard.rebuild(ledger.all_totals())
    # With updates still on their way to the ledger it would come out too low: then reconcile_scores rebuilds it behind them.
    summary = {"migrations": applied, "queues": queues, "players": players}
    _log.info("stores are ready", extra=summary)
    return summary
