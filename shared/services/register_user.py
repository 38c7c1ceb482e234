"""A newcomer makes an account of their own and becomes a player."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.domain.player import checked_password, checked_username
from shared.ports import Clock, Leaderboard, PasswordHasher, Users
from shared.services.create_user import CreateUser, NewUser, create_user


def parse_registration(body: Mapping[str, Any], source_ip: str) -> CreateUser:
    """Read `{"username", "password"}`; raises InvalidUsername or WeakPassword. A `role` in the body is not listened to."""
    username = checked_username(body.get("username"))
    return CreateUser(username, checked_password(body.get("password"), username), "player", source_ip=source_ip)


def register_user(command: CreateUser, users: Users, leaderboard: Leaderboard, hasher: PasswordHasher, clock: Clock) -> NewUser:
    """Raises UsernameTaken."""
    return create_user(command, users, leaderboard, hasher, clock)
