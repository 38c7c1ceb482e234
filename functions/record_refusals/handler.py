"""Every minute: refusals that were counted since the last time into the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.audit.record_refusals import record_refusals
from shared.container import container
from shared.transport.schedule import schedule_handler


@schedule_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """Answer `{"rows": n}`."""
    deps = container()
    return {"rows": record_refusals(deps.refusals, deps.audit_log)}
