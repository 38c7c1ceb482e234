"""PATCH /api/admin/users/{user_id}: change what an account may do."""

from __future__ import annotations

from shared.accounts.change_account import change_user
from shared.accounts.player import AccountChange
from shared.accounts.take_effect import take_effect_again
from shared.boards.settle_places import take_places
from shared.container import container
from shared.container.admin import admin_handler
from shared.stores.actor import Actor
from shared.stores.answer_once import answer_once, keyed
from shared.stores.idempotency import Attempt
from shared.transport.http import HttpRequest, Reply


@admin_handler("user_change_refused")
def lambda_handler(request: HttpRequest, admin: Actor) -> Reply:
    """`{"role"?: "player" or "admin", "disabled"?: bool, "simulated"?: bool, "displayName"?: null}`: answer the account then."""
    deps = container()
    body = request.json_object()
    change = AccountChange.parse(body)
    user_id = request.path_parameters["user_id"]
    places = deps.leaderboard, deps.every_board_stores, deps.publisher, deps.clock

    def attempted(attempt: Attempt) -> dict[str, str | bool]:
        account = change_user(user_id, change, admin, deps.account_changes, deps, attempt)
        take_places([account], *places)
        return account.as_json()

    answer = answer_once(
        keyed(request, admin.name, body),
        deps,
        attempted,
        complete=lambda _: take_places([take_effect_again(user_id, deps)], *places),
    )
    return Reply.ok(answer.data, headers=answer.headers)
