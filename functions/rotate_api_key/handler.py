"""POST /api/users/{user_id}/api-key: get another API key."""

from __future__ import annotations

from shared.accounts.change_account import rotate_api_key
from shared.accounts.take_effect import take_effect_again
from shared.audit.note_refusal import audited
from shared.container import container
from shared.stores.actor import Actor
from shared.stores.answer_once import answer_once, keyed
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
@audited("api_key_rotation_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Answer 201 with the key, which is shown this once; the old one is dead."""
    deps = container()
    caller = deps.authenticate(request.bearer_token)
    actor = Actor(caller.user_id, request.source_ip, request.request_id)
    user_id = request.path_parameters["user_id"]
    answer = answer_once(
        keyed(request, caller.user_id),
        deps,
        lambda attempt: rotate_api_key(user_id, caller, actor, deps.request_limits, deps.account_changes, deps, attempt),
        complete=lambda _: take_effect_again(user_id, deps),
    )
    return Reply.created(answer.data, headers={"Cache-Control": "no-store", **answer.headers})
