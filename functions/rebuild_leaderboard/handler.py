"""leaderboard_rebuild_queue, and every minute: bring back what the leaderboard lost with Redis, and then the other boards."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from shared.boards.fill_boards import fill_boards
from shared.container import AnyShard, container
from shared.operations.claim_stores import mark_again
from shared.reconciliation.heal_leaderboard import heal_leaderboard
from shared.reconciliation.move_board import go_on_moving
from shared.reconciliation.reconcile_scores import reconcile_scores
from shared.transport.schedule import schedule_handler


@schedule_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """Whatever woke it, it looks for itself; answer `{"rebuilt": bool, "players": n, "reconciled": bool}`, `"boards": n` when
    some were filled, and `"shards": {...}` with the same of those beside the first one in which something was done.
    """
    deps = container()
    further = [shard.reconciliation for shard in deps.further_shards]
    reconcile = partial(reconcile_scores, deps.reconciliation, further=further)
    done: dict[str, dict[str, Any]] = {}

    def heal(shard: AnyShard) -> None:
        healed = heal_leaderboard(shard.reconciliation, reconcile)
        if healed["rebuilt"]:
            mark_again(deps.ownership)
        filled = fill_boards(shard.board_stores, shard.pipeline)
        done[shard.name] = {**healed, **({"boards": filled} if filled else {})}

    try:
        deps.in_each_shard(heal)
    finally:
        go_on_moving(deps.shards, deps.boards)
    shards = {name: each for name, each in done.items() if name != deps.name and any(each.values())}
    return {**done[deps.name], **({"shards": shards} if shards else {})}
