"""The audit log in its order, a part at a time; for operators (`export-audit`), no trigger leads here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.audit.export_audit_log import export_audit_log
from shared.container import container
from shared.transport.direct import direct_handler


@direct_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """`{"from"?, "to"?, "after"?: id}` becomes `{"entries": [...], "after": id or null}`; errors escape."""
    return export_audit_log(event, container().audit_log)
