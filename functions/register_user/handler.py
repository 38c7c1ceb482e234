"""POST /api/users: a newcomer becomes a player; the API key is shown this once."""

from __future__ import annotations

from shared.accounts.check_password import check_password
from shared.accounts.create_user import parse_registration, register_user
from shared.accounts.take_effect import take_effect_again
from shared.audit.note_refusal import audited
from shared.boards.enter_board import enter_board
from shared.container import container
from shared.core.ids import folded
from shared.ledger.ask_for_broadcast import ask_for_broadcast
from shared.stores.answer_once import answer_once, keyed
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
@audited("registration_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Answer 201 with the account; viewers are sent the board."""
    deps = container()
    command = parse_registration(request.json_object(), request.source_ip, deps.common_passwords)
    name, users = command.username, deps.users
    answer = answer_once(
        keyed(request, f"registration of {folded(name)}", name if command.display_name is None else [name, command.display_name]),
        deps,
        lambda attempt: enter_board(
            register_user(command, deps.request_limits, users, deps.password_hasher, deps.clock, attempt), deps.leaderboard
        ).as_json(),
        proves_password=lambda: (
            check_password(name, command.password, request.source_ip, lambda: users.by_username(name), deps) is not None
        ),
        complete=lambda account: enter_board(take_effect_again(account["userId"], deps), deps.leaderboard),
    )
    ask_for_broadcast(deps.publisher, deps.clock)
    return Reply.created(answer.data, headers={"Location": f"/api/score/{answer.data['userId']}", **answer.headers})
