"""PATCH /api/me: be shown by another name."""

from __future__ import annotations

from shared.accounts.change_account import ChangeDisplayName, change_display_name
from shared.accounts.take_effect import take_effect_again
from shared.audit.note_refusal import audited
from shared.container import container
from shared.ledger.ask_for_broadcast import ask_for_every_broadcast
from shared.stores.actor import Actor
from shared.stores.answer_once import answer_once, keyed
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
@audited("account_change_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """The body is `{"displayName": text or null}`. Answer the account as it is then; viewers are sent the board."""
    deps = container()
    caller = deps.authenticate(request.bearer_token)
    body = request.json_object()
    command = ChangeDisplayName.parse(body, caller, Actor(caller.user_id, request.source_ip, request.request_id))
    answer = answer_once(
        keyed(request, caller.user_id, body),
        deps,
        lambda attempt: change_display_name(command, deps.request_limits, deps.account_changes, deps, attempt),
        complete=lambda _: take_effect_again(caller.user_id, deps),
    )
    ask_for_every_broadcast(deps.publisher, deps.clock)
    return Reply.ok(answer.data, headers=answer.headers)
