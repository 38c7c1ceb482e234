"""Hold the audit log against its seals; for operators (`verify-audit`), no trigger leads here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.audit.verify_audit import VerifyAudit, verify_audit
from shared.container import container
from shared.transport.direct import direct_handler


@direct_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """`{"fromSeal"?: n, "head"?: "seq:hash"}` becomes the report; errors escape."""
    deps = container()
    command = VerifyAudit.parse(event)
    return verify_audit(command, deps.audit_chain)
