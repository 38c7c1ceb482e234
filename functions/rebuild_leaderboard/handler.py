"""leaderboard_rebuild_queue, and every minute: bring back what the leaderboard lost with Redis, and then the other boards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.boards.fill_boards import fill_boards
from shared.container import container
from shared.operations.claim_stores import mark_again
from shared.reconciliation.heal_leaderboard import heal_leaderboard
from shared.transport.schedule import schedule_handler


@schedule_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """Whatever woke it, it looks for itself; answer `{"rebuilt": bool, "players": n, "reconciled": bool}`, and `"boards": n` when
    some were filled.
    """
    deps = container()
    healed = heal_leaderboard(deps.reconciliation)
    if healed["rebuilt"]:
        mark_again(deps.ownership)
    filled = fill_boards(deps.board_stores, deps.pipeline)
    return {**healed, **({"boards": filled} if filled else {})}
