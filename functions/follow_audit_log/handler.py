"""What was added to the audit log since the last look; for operators (`tail`), no trigger leads here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.audit.follow_audit_log import FollowAuditLog, follow_audit_log
from shared.container import container
from shared.transport.direct import direct_handler


@direct_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """`{"after"?, "last"?, "user"?, "action"?, "requestId"?}` becomes `{"entries", "usernames", "after", "more"}`."""
    deps = container()
    return follow_audit_log(FollowAuditLog.parse(event), deps.audit_log, deps.audit_seals, deps.users, deps.clock)
