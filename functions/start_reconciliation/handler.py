"""POST /api/admin/reconciliations: hold the ledger against the leaderboard, now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shared.audit.note_refusal import audited
from shared.container import container
from shared.reconciliation.reconcile_scores import ReconciliationOptions, reconcile_scores
from shared.stores.answer_once import answer_once, keyed
from shared.stores.idempotency import Attempt
from shared.transport.http import HttpRequest, Reply, http_handler

CATCH_UP_SECONDS = 20.0


@http_handler
@audited("reconciliation_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """For admins; the body is `{"dryRun"?: bool, "full"?: bool, "beyondBounds"?: bool}`. Answer 201 with the run."""
    deps = container()
    caller = deps.authenticate(request.bearer_token)
    caller.must_be_admin()
    body = request.json_object()
    options = ReconciliationOptions.parse(body)
    stores = replace(deps.reconciliation, pipeline=replace(deps.pipeline, catch_up_seconds=CATCH_UP_SECONDS))

    def reconcile(_: Attempt) -> dict[str, Any]:
        deps.ledger.audit(
            "reconciliation_started",
            actor=caller.user_id,
            user_id=None,
            detail=options.as_json(),
            source_ip=request.source_ip,
            request_id=request.request_id,
        )
        return reconcile_scores(stores, options)

    answer = answer_once(keyed(request, caller.user_id, body), deps, reconcile, is_claimed=True)
    return Reply.created(answer.data, headers=answer.headers)
