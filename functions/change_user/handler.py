"""PATCH /api/admin/users/{user_id}: change what an account may do."""

from __future__ import annotations

from shared.accounts.change_account import change_user
from shared.accounts.player import AccountChange
from shared.accounts.take_effect import take_effect_again
from shared.audit.note_refusal import audited
from shared.boards.enter_board import enter_board
from shared.container import container
from shared.stores.actor import Actor
from shared.stores.answer_once import answer_once, keyed
from shared.transport.http import HttpRequest, Reply, http_handler


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
        lambda attempt: enter_board(
            change_user(user_id, change, actor, deps.account_changes, deps, attempt), deps.leaderboard
        ).as_json(),
        complete=lambda _: enter_board(take_effect_again(user_id, deps), deps.leaderboard),
    )
    return Reply.ok(answer.data, headers=answer.headers)
