"""POST /api/admin/reconciliations: compare the ledger with all boards, now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shared.container import container
from shared.container.admin import admin_handler
from shared.reconciliation.reconcile_scores import ReconciliationOptions, reconcile_scores
from shared.stores.actor import Actor
from shared.stores.answer_once import answer_once, keyed
from shared.stores.idempotency import Attempt
from shared.transport.http import HttpRequest, Reply

CATCH_UP_SECONDS = 20.0


@admin_handler("reconciliation_refused")
def lambda_handler(request: HttpRequest, admin: Actor) -> Reply:
    """The body is `{"dryRun"?: bool, "full"?: bool, "beyondBounds"?: bool}`. Answer 201 with the run."""
    deps = container()
    body = request.json_object()
    options = ReconciliationOptions.parse(body)
    stores, *further = (
        replace(shard.reconciliation, pipeline=replace(shard.pipeline, catch_up_seconds=CATCH_UP_SECONDS))
        for shard in deps.everywhere
    )

    def reconcile(_: Attempt) -> dict[str, Any]:
        deps.ledger.audit(
            "reconciliation_started",
            actor=admin.name,
            user_id=None,
            detail=options.as_json(),
            source_ip=request.source_ip,
            request_id=request.request_id,
        )
        return reconcile_scores(stores, options, further)

    answer = answer_once(keyed(request, admin.name, body), deps, reconcile, is_claimed=True)
    return Reply.created(answer.data, headers=answer.headers)
