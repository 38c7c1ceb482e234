"""POST /api/users: a newcomer becomes a player; the API key is shown this once."""

from __future__ import annotations

from shared.services.note_refusal import audited
from shared.services.register_user import parse_registration, register_user
from shared.transport.http import HttpRequest, Reply, http_handler
from shared.wiring import container


@http_handler
@audited("registration_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Answer 201 with the account."""
    deps = container()
    command = parse_registration(request.json_object(), request.source_ip, deps.common_passwords)
    account = register_user(command, deps.request_limits, deps.users, deps.leaderboard, deps.password_hasher, deps.clock)
    return Reply.created(account.as_json())
