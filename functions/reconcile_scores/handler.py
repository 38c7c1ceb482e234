"""Daily, and on demand: compare the ledger with all boards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.container import container
from shared.reconciliation.reconcile_scores import ReconciliationOptions, reconcile_scores
from shared.transport.schedule import schedule_handler


@schedule_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """The input is `{"dryRun": bool, "full": bool, "beyondBounds": bool}`, false if absent; returns what was checked, found,
    repaired.
    """
    deps = container()
    further = [shard.reconciliation for shard in deps.further_shards]
    return reconcile_scores(deps.reconciliation, ReconciliationOptions.parse(event), further)
