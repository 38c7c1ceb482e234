"""POST /api/admin/dead-letters/redrive: have dead letters recorded after all."""

from __future__ import annotations

from shared.services.answer_once import answer_once, keyed
from shared.services.note_refusal import audited
from shared.services.redrive_dead_letters import Redrive, redrive_dead_letters
from shared.transport.http import HttpRequest, Reply, http_handler
from shared.wiring import container


@http_handler
@audited("dead_letters_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """For admins; the body is `{"limit"?: n, "requestIds"?: [...]}`."""
    deps = container()
    caller = deps.authenticate(request.bearer_token)
    caller.must_be_admin()
    body = request.json_object()
    command = Redrive.parse(body, actor=caller.user_id, source_ip=request.source_ip, request_id=request.request_id)
    answer = answer_once(
        keyed(request, caller.user_id, body),
        deps,
        lambda _: redrive_dead_letters(command, deps.dead_letters, deps.ledger),
        is_claimed=True,
    )
    return Reply.ok(answer.data, headers=answer.headers)
