"""PATCH /api/admin/users/{user_id}: change what an account may do."""

from __future__ import annotations

from shared.domain.audit import Actor
from shared.domain.player import AccountChange
from shared.services.answer_once import answer_once, keyed
from shared.services.change_user import change_user
from shared.services.note_refusal import audited
from shared.services.take_effect import take_effect_again
from shared.transport.http import HttpRequest, Reply, http_handler
from shared.wiring import container


@http_handler
@audited("user_change_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """For admins; the body is `{"role"?: "player" or "admin", "disabled"?: bool}`. Answer the account as it is then."""
    deps = container()
    caller = deps.authenticate(request.bearer_token)
    caller.must_be_admin()
    body = request.json_object()
    change = AccountChange.parse(body)
    actor = Actor(caller.user_id, request.source_ip, request.request_id)
    user_id = request.path_parameters["user_id"]
    answer = answer_once(
        keyed(request, caller.user_id, body),
        deps,
        lambda attempt: change_user(user_id, change, actor, deps.account_changes, deps.leaderboard, deps, attempt).as_json(),
        complete=lambda _: take_effect_again(user_id, deps.leaderboard, deps),
    )
    return Reply.ok(answer.data, headers=answer.headers)
