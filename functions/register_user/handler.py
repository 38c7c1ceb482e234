"""POST /api/users: a newcomer becomes a player; the API key is shown this once."""

from __future__ import annotations

from shared.domain.player import folded
from shared.services.answer_once import answer_once, keyed
from shared.services.check_password import check_password
from shared.services.note_refusal import audited
from shared.services.register_user import parse_registration, register_user
from shared.services.take_effect import take_effect_again
from shared.transport.http import HttpRequest, Reply, http_handler
from shared.wiring import container


@http_handler
@audited("registration_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Answer 201 with the account."""
    deps = container()
    command = parse_registration(request.json_object(), request.source_ip, deps.common_passwords)
    name, users = command.username, deps.users
    answer = answer_once(
        keyed(request, f"registration of {folded(name)}", name),
        deps,
        lambda attempt: register_user(
            command, deps.request_limits, users, deps.leaderboard, deps.password_hasher, deps.clock, attempt
        ).as_json(),
        proves_password=lambda: (
            check_password(name, command.password, request.source_ip, lambda: users.by_username(name), deps) is not None
        ),
        complete=lambda account: take_effect_again(account["userId"], deps.leaderboard, deps),
    )
    return Reply.created(answer.data, headers=answer.headers)
