"""POST /api/admin/reconciliations: hold the ledger against the leaderboard, now."""

from __future__ import annotations

from shared.services.catch_up import Pipeline
from shared.services.note_refusal import audited
from shared.services.reconcile_scores import Reconciliation, ReconciliationOptions, reconcile_scores
from shared.transport.http import HttpRequest, Reply, http_handler
from shared.wiring import container

CATCH_UP_SECONDS = 20.0


@http_handler
@audited("reconciliation_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """For admins; the body is `{"dryRun"?: bool, "full"?: bool}`. Answer 201 with the run."""
    deps = container()
    caller = deps.authenticate(request.bearer_token)
    caller.must_be_admin()
    options = ReconciliationOptions.parse(request.json_object())
    pipeline = Pipeline(deps.ledger, deps.outbox, deps.publisher, deps.clock, CATCH_UP_SECONDS)
    stores = Reconciliation(deps.leaderboard, deps.board_check, deps.reconciliations, pipeline)
    deps.ledger.audit(
        "reconciliation_started",
        actor=caller.user_id,
        user_id=None,
        detail=options.as_json(),
        source_ip=request.source_ip,
        request_id=request.request_id,
    )
    return Reply.created(reconcile_scores(stores, dry_run=options.dry_run, full=options.full))
