"""Every minute: close the seasons of boards that have ended, and have the next ones begin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.boards.turn_seasons import turn_seasons
from shared.container import container
from shared.transport.schedule import schedule_handler


@schedule_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """Answer `{"boards": n, "closed": n}`."""
    deps = container()
    return turn_seasons(deps.board_stores, deps.known_boards, deps.pipeline)
