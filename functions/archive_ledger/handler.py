"""Every ten minutes: move what is older than HISTORY_MONTHS into the months beside the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.container import container
from shared.ledger.archive_history import archive_history
from shared.transport.schedule import schedule_handler


@schedule_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """Answer `{"updates": n}` that were moved."""
    deps = container()
    return {"updates": archive_history(deps.settings.history_months, deps.history_archive, deps.clock)}
