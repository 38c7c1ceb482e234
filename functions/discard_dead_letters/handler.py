"""POST /api/admin/dead-letters/discard: take dead letters out of the accepted updates."""

from __future__ import annotations

from shared.container import container
from shared.container.admin import admin_handler
from shared.ledger.discard_dead_letters import discard_dead_letters, parse_discard
from shared.stores.actor import Actor
from shared.stores.answer_once import answer_once, keyed
from shared.transport.http import HttpRequest, Reply


@admin_handler("dead_letters_refused")
def lambda_handler(request: HttpRequest, admin: Actor) -> Reply:
    """The body is `{"ids": [...] | "requestIds": [...] | "all": true, "reason": "..."}`."""
    deps = container()
    body = request.json_object()
    choice, reason = parse_discard(body)
    answer = answer_once(
        keyed(request, admin.name, body),
        deps,
        lambda _: discard_dead_letters(choice, reason, admin, deps.letters),
        is_claimed=True,
    )
    return Reply.ok(answer.data, headers=answer.headers)
