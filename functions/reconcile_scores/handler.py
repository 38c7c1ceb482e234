"""Daily, and on demand: hold the ledger against the leaderboard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.services.catch_up import Pipeline
from shared.services.reconcile_scores import Reconciliation, ReconciliationOptions, reconcile_scores
from shared.transport.schedule import schedule_handler
from shared.wiring import container


@schedule_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """The input is `{"dryRun": bool, "full": bool}`, both false if absent; answer what was checked, found and repaired."""
    options = ReconciliationOptions.parse(event)
    deps = container()
    pipeline = Pipeline(deps.ledger, deps.outbox, deps.publisher, deps.clock)
    stores = Reconciliation(deps.leaderboard, deps.board_check, deps.reconciliations, pipeline)
    return reconcile_scores(stores, dry_run=options.dry_run, full=options.full)
