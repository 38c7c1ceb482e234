"""leaderboard_rebuild_queue, and every minute: bring back what the leaderboard lost with Redis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.container import container
from shared.operations.claim_stores import mark_again
from shared.reconciliation.heal_leaderboard import heal_leaderboard
from shared.transport.schedule import schedule_handler


@schedule_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """Whatever woke it, it looks for itself; answer `{"rebuilt": bool, "players": n, "reconciled": bool}`."""
    deps = container()
    healed = heal_leaderboard(deps.reconciliation)
    if healed["rebuilt"]:
        mark_again(deps.ownership)
    return healed
