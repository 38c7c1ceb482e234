"""Who plays: accounts, roles, callers, and which names are acceptable."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.errors import Forbidden, InvalidParameter, InvalidUsername, NotYourScore

Role = Literal["player", "admin"]

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
