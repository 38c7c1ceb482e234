"""POST /api/admin/dead-letters/discard: take dead letters out of the accepted updates."""

from __future__ import annotations

from shared.audit.note_refusal import audited
from shared.container import container
from shared.ledger.discard_dead_letters import discard_dead_letters, parse_discard
from shared.stores.actor import Actor
from shared.stores.answer_once import answer_once, keyed
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
@audited("dead_letters_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """For admins; the body is `{"ids": [...] | "requestIds": [...] | "all": true, "reason": "..."}`."""
    deps = container()
    caller = deps.authenticate(request.bearer_token)
    caller.must_be_admin()
    body = request.json_object()
    choice, reason = parse_discard(body)
    actor = Actor(caller.user_id, request.source_ip, request.request_id)
    answer = answer_once(
        keyed(request, caller.user_id, body),
        deps,
        lambda _: discard_dead_letters(choice, reason, actor, deps.letters),
        is_claimed=True,
    )
    return Reply.ok(answer.data, headers=answer.headers)
