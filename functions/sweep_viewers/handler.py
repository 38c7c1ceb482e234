"""Every minute: drop viewers whose session has ended, and have those served whom a crash left waiting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.container import container
from shared.transport.schedule import schedule_handler
from shared.viewers.connect_viewer import sweep_viewers


@schedule_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """Answer `{"ended": n}`: so many were dropped."""
    deps = container()
    return {"ended": sweep_viewers(deps.viewers, deps.board_views, deps.publisher, deps.clock)}
