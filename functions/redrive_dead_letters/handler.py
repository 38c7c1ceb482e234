"""POST /api/admin/dead-letters/redrive: have dead letters recorded after all."""

from __future__ import annotations

from shared.container import container
from shared.container.admin import admin_handler
from shared.ledger.redrive_dead_letters import parse_choice, redrive_dead_letters
from shared.stores.actor import Actor
from shared.stores.answer_once import answer_once, keyed
from shared.transport.http import HttpRequest, Reply

WAIT_SECONDS = 12.0


@admin_handler("dead_letters_refused")
def lambda_handler(request: HttpRequest, admin: Actor) -> Reply:
    """The body is `{"limit"?: n, "ids"?: [...], "requestIds"?: [...]}`."""
    deps = container()
    body = request.json_object()
    choice = parse_choice(body)
    answer = answer_once(
        keyed(request, admin.name, body),
        deps,
        lambda _: redrive_dead_letters(choice, admin, deps.letters, WAIT_SECONDS),
        is_claimed=True,
    )
    return Reply.ok(answer.data, headers=answer.headers)
