"""Every ten minutes: move what is older than HISTORY_MONTHS and AUDIT_MONTHS into the months beside ledger and audit log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.audit.archive_audit import archive_audit
from shared.container import container
from shared.ledger.archive_history import archive_history
from shared.transport.schedule import schedule_handler


@schedule_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """Answer `{"updates": n, "auditRows": n}` that were moved."""
    deps = container()
    updates = archive_history(deps.settings.history_months, deps.history_archive, deps.clock)
    return {"updates": updates, "auditRows": archive_audit(deps.settings.audit_months, deps.audit_chain)}
