"""Every minute: close the seasons of boards that have ended, and have the next ones begin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from shared.boards.turn_seasons import turn_seasons
from shared.container import AnyShard, container
from shared.transport.schedule import schedule_handler


@schedule_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """Answer `{"boards": n, "closed": n}`."""
    deps = container()
    done = Counter(boards=0, closed=0)

    def turn(shard: AnyShard) -> None:
        done.update(turn_seasons(shard.board_stores, shard.known_boards, shard.pipeline))

    deps.in_each_shard(turn)
    return dict(done)
