"""Every minute: forget sessions that ended long ago, and see that Redis knows of those that ended of late."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.accounts.end_sessions import forget_sessions
from shared.container import container
from shared.transport.schedule import schedule_handler


@schedule_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """Answer `{"forgotten": n}`."""
    deps = container()
    return {"forgotten": forget_sessions(deps, deps.kept_answers)}
