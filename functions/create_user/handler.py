"""Make an account with a role; for operators (`create-user`), no trigger leads here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.accounts.create_user import CreateUser, create_user
from shared.boards.enter_board import enter_board
from shared.container import container
from shared.ledger.ask_for_broadcast import ask_for_broadcast
from shared.transport.direct import direct_handler


@direct_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """`{"username", "password", "role"}` becomes `{"userId", "username", "role", "apiKey"}`; errors escape."""
    deps = container()
    command = CreateUser.parse(event, deps.common_passwords, actor="operator")
    account = create_user(command, deps.users, deps.password_hasher, deps.clock)
    told = enter_board(account, deps.leaderboard).as_json()
    ask_for_broadcast(deps.publisher, deps.clock)
    return told
