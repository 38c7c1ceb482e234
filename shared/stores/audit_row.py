"""Writes one row of audit_log, in the transaction of what it tells of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from shared.core import metrics
from shared.stores.actor import Actor
from shared.stores.postgresql.session import Session
from shared.stores.postgresql.statements import statement


def add_audit_row(session: Session, action: str, actor: Actor, user_id: str | None, detail: Mapping[str, Any]) -> None:
    """`user_id` is whom it was done to."""
    session.run(
        statement("add_audit_row"),
        action=action,
        actor=actor.name,
        user_id=user_id,
        source_ip=actor.source_ip,
        request_id=actor.request_id,
        detail=json.dumps(detail),
    )
    metrics.rows_inserted.of("audit_log").inc()
