"""Every minute: clear up after players who stopped playing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.boards.forget_windows import forget_windows
from shared.container import container
from shared.transport.schedule import schedule_handler


@schedule_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `{"forgotten": players, "results": keys in Redis, "keys": keys in PostgreSQL}`."""
    deps = container()
    return dict(forget_windows([shard.rate_windows for shard in deps.everywhere], deps.ledger))
