"""Who plays: accounts, roles, callers, and which names are acceptable."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from shared.core.errors import Forbidden, InvalidParameter, InvalidUsername, NotYourAccount, NotYourScore

Role = Literal["player", "admin"]

API_KEY_BYTES = 32
USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{2,49}")


@dataclass(frozen=True, slots=True)
class Account:
    """A row of users. `hashed_password` and `api_key_hash` are hashes; the secrets themselves are never kept."""

    user_id: str
    username: str
    role: Role
    hashed_password: str
    api_key_hash: str
    disabled: bool = False

    @property
    def is_active_admin(self) -> bool:
        """Whether somebody can look after the scoreboard with it."""
        return self.role == "admin" and not self.disabled

    def as_json(self) -> dict[str, str | bool]:
        """What an admin may see of it, in the words of the API."""
        return {"userId": self.user_id, "username": self.username, "role": self.role, "disabled": self.disabled}


@dataclass(frozen=True, slots=True)
class AccountChange:
    """What is to become of an account; None stays as it is."""

    role: Role | None = None
    disabled: bool | None = None

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> AccountChange:
        """Read `{"role"?, "disabled"?}`, at least one of them; raises InvalidParameter."""
        if "role" not in body and "disabled" not in body:
            raise InvalidParameter("Send `role`, `disabled` or both.")
        disabled = body.get("disabled")
        if "disabled" in body and not isinstance(disabled, bool):
            raise InvalidParameter("`disabled` must be true or false.")
        return cls(checked_role(body["role"]) if "role" in body else None, disabled)

    def of(self, account: Account) -> Account:
        """The account as it becomes."""
        return replace(
            account,
            role=account.role if self.role is None else self.role,
            disabled=account.disabled if self.disabled is None else self.disabled,
        )


@dataclass(frozen=True, slots=True)
class Profile:
    """What the update path and the board need to know of a player, cached in Redis."""

    user_id: str
    username: str
    role: Role
    api_key_hash: str
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, as a verified access token says; `session_id` is empty for one that belongs to no session of ours."""

    user_id: str
    role: Role
    expires_at: datetime
    session_id: str = ""

    def must_be_admin(self) -> None:
        """Raise Forbidden for everybody else."""
        if self.role != "admin":
            raise Forbidden("Only an admin may do that.")

    def must_own(self, user_id: str) -> None:
        """Raise NotYourScore unless the path speaks of the caller."""
        if user_id != self.user_id:
            raise NotYourScore

    def must_be(self, user_id: str) -> None:
        """Raise NotYourAccount unless the path speaks of the caller."""
        if user_id != self.user_id:
            raise NotYourAccount


def checked_username(value: object) -> str:
    """3 to 50 letters, digits, dots, dashes and underscores, beginning with a letter or digit; raises InvalidUsername."""
    if not isinstance(value, str) or not USERNAME.fullmatch(value):
        raise InvalidUsername(
            "`username` must be 3 to 50 letters, digits, dots, dashes or underscores, beginning with a letter or a digit."
        )
    return value


def checked_role(value: object) -> Role:
    """`player` or `admin`; raises InvalidParameter."""
    if value == "player":
        return "player"
    if value == "admin":
        return "admin"
    raise InvalidParameter("`role` must be `player` or `admin`.")
