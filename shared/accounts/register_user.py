"""A newcomer makes an account of their own and becomes a player."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from shared.accounts.create_user import CreateUser, NewUser, create_user
from shared.accounts.password import checked_password
from shared.accounts.player import checked_username
from shared.accounts.ports import PasswordHasher, RequestLimits, Users
from shared.core.platform import Clock
from shared.stores.idempotency import Attempt, not_kept


def parse_registration(body: Mapping[str, Any], source_ip: str, common_passwords: Container[str]) -> CreateUser:
    """Read `{"username", "password"}`; raises InvalidUsername or WeakPassword. A `role` in the body is not listened to."""
    username = checked_username(body.get("username"))
    password = checked_password(body.get("password"), username, common_passwords)
    return CreateUser(username, password, "player", source_ip=source_ip)


def register_user(
    command: CreateUser,
    limits: RequestLimits,
    users: Users,
    hasher: PasswordHasher,
    clock: Clock,
    attempt: Attempt = not_kept,
) -> NewUser:
    """Raises UsernameTaken, and TooManyRequests before anything is computed."""
    limits.admit("registration", source_ip=command.source_ip or "")
    return create_user(command, users, hasher, clock, attempt)
