"""Bring the refusals that were counted since the last time into the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.audit.postgresql import AuditLog
    from shared.audit.redis import Refusals


def record_refusals(refusals: Refusals, audit_log: AuditLog) -> int:
    """Answer how many rows that made.

    Each refusal is recorded once: what was taken is taken again, as the same, until it is settled.
    """
    batch = refusals.take()
    if batch is None:
        return 0
    rows = audit_log.add_refusals(batch)
    refusals.settle(batch.batch_id)
    return rows
