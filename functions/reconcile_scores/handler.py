"""Daily: the ledger against the leaderboard. Every minute: nothing, unless Redis came back empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.services.reconcile_scores import Reconciliation, rebuild_leaderboard, reconcile_scores
from shared.transport.schedule import schedule_handler
from shared.wiring import container


@schedule_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """The input is `{"dryRun": bool}` or `{"rebuildOnly": true}`; answer what was checked, found and repaired."""
    deps = container()
    stores = Reconciliation(deps.leaderboard, deps.ledger, deps.outbox, deps.publisher, deps.clock)
    if event.get("rebuildOnly") is True:
        return rebuild_leaderboard(stores)
    return reconcile_scores(stores, dry_run=event.get("dryRun") is True)
