"""POST /api/admin/dead-letters/redrive: have dead letters recorded after all."""

from __future__ import annotations

from shared.audit.note_refusal import audited
from shared.container import container
from shared.ledger.redrive_dead_letters import parse_choice, redrive_dead_letters
from shared.stores.actor import Actor
from shared.stores.answer_once import answer_once, keyed
from shared.transport.http import HttpRequest, Reply, http_handler

WAIT_SECONDS = 12.0


@http_handler
@audited("dead_letters_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """For admins; the body is `{"limit"?: n, "ids"?: [...], "requestIds"?: [...]}`."""
    deps = container()
    caller = deps.authenticate(request.bearer_token)
    caller.must_be_admin()
    body = request.json_object()
    choice, actor = parse_choice(body), Actor(caller.user_id, request.source_ip, request.request_id)
    answer = answer_once(
        keyed(request, caller.user_id, body),
        deps,
        lambda _: redrive_dead_letters(choice, actor, deps.letters, WAIT_SECONDS),
        is_claimed=True,
    )
    return Reply.ok(answer.data, headers=answer.headers)
