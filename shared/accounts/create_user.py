"""Make an account: checked name and password, argon2id, an API key that is shown once."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.accounts.display_name import checked_display_name
from shared.accounts.password import checked_password
from shared.accounts.player import API_KEY_BYTES, Account, Role, checked_role, checked_username
from shared.core.clock import Clock
from shared.core.ids import RANDOM_BYTES, new_user_id
from shared.core.invocation import note
from shared.stores.idempotency import Attempt, not_kept

if TYPE_CHECKING:
    from shared.accounts.argon2 import PasswordHasher
    from shared.accounts.postgresql import Users
    from shared.accounts.redis import RequestLimits


@dataclass(frozen=True, slots=True)
class CreateUser:
    """Who is to be: `actor` makes the account, None when the user registers; `source_ip` is where from, if known."""

    username: str
    password: str = field(repr=False)
    role: Role
    actor: str | None = None
    source_ip: str | None = None
    display_name: str | None = None

    @classmethod
    def parse(cls, body: Mapping[str, Any], common_passwords: Container[str], *, actor: str) -> CreateUser:
        """Read `{"username", "password", "role"}`; raises InvalidUsername, WeakPassword or InvalidParameter."""
        username = checked_username(body.get("username"))
        password = checked_password(body.get("password"), username, common_passwords)
        return cls(username, password, checked_role(body.get("role")), actor)


@dataclass(frozen=True, slots=True)
class NewUser:
    """The account as it is told once; `api_key` is not kept anywhere."""

    user_id: str
    username: str
    role: Role
    api_key: str = field(repr=False)
    display_name: str | None = None

    def as_json(self) -> dict[str, str]:
        """In the words of the API."""
        shown = self.display_name or self.username
        return {
            "userId": self.user_id,
            "username": self.username,
            "displayName": shown,
            "role": self.role,
            "apiKey": self.api_key,
        }


def create_user(
    command: CreateUser,
    users: Users,
    hasher: PasswordHasher,
    clock: Clock,
    attempt: Attempt = not_kept,
) -> NewUser:
    """Store the account; raises UsernameTaken."""
    hashed_password = hasher.hash(command.password)
    api_key = secrets.token_urlsafe(API_KEY_BYTES)
    account = Account(
        user_id=new_user_id(clock.now(), secrets.token_bytes(RANDOM_BYTES)),
        username=command.username,
        role=command.role,
        hashed_password=hashed_password,
        api_key_hash=hashlib.sha256(api_key.encode()).hexdigest(),
        display_name=command.display_name,
    )
    new_user = NewUser(account.user_id, account.username, account.role, api_key, account.display_name)
    users.add(account, actor=command.actor, source_ip=command.source_ip, answer=attempt(new_user.as_json()))
    note(user_id=account.user_id)
    return new_user


def parse_registration(body: Mapping[str, Any], source_ip: str, common_passwords: Container[str]) -> CreateUser:
    """Read `{"username", "password", "displayName"?}`; raises InvalidUsername, WeakPassword or InvalidDisplayName.

    A `role` in the body is not listened to.
    """
    username = checked_username(body.get("username"))
    password = checked_password(body.get("password"), username, common_passwords)
    shown = body.get("displayName")
    display_name = None if shown is None else checked_display_name(shown)
    return CreateUser(username, password, "player", source_ip=source_ip, display_name=display_name)


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
