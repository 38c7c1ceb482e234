"""PATCH /api/admin/users/{user_id}: change what an account may do."""

from __future__ import annotations

from shared.accounts.change_account import change_user
from shared.accounts.player import AccountChange
from shared.accounts.take_effect import take_effect_again
from shared.boards.enter_board import enter_board
from shared.container import container
from shared.container.admin import admin_handler
from shared.stores.actor import Actor
from shared.stores.answer_once import answer_once, keyed
from shared.transport.http import HttpRequest, Reply


@admin_handler("user_change_refused")
def lambda_handler(request: HttpRequest, admin: Actor) -> Reply:
    """The body is `{"role"?: "player" or "admin", "disabled"?: bool}`. Answer the account as it is then."""
    deps = container()
    body = request.json_object()
    change = AccountChange.parse(body)
    user_id = request.path_parameters["user_id"]
    answer = answer_once(
        keyed(request, admin.name, body),
        deps,
        lambda attempt: enter_board(
            change_user(user_id, change, admin, deps.account_changes, deps, attempt), deps.leaderboard
        ).as_json(),
        complete=lambda _: enter_board(take_effect_again(user_id, deps), deps.leaderboard),
    )
    return Reply.ok(answer.data, headers=answer.headers)
