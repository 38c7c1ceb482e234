"""Make an account with a role; for operators (`create-user`), no trigger leads here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.services.create_user import CreateUser, create_user
from shared.transport.direct import direct_handler
from shared.wiring import container


@direct_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """`{"username", "password", "role"}` becomes `{"userId", "username", "role", "apiKey"}`; errors escape."""
    deps = container()
    command = CreateUser.parse(event, deps.common_passwords, actor="operator")
    return create_user(command, deps.users, deps.leaderboard, deps.password_hasher, deps.clock).as_json()
