"""Who plays: accounts, roles, callers, and which names are acceptable."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from shared.core.errors import Forbidden, InvalidParameter, InvalidUsername, NotYourAccount, NotYourHistory, NotYourScore
from shared.core.ids import canonical_id

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
    simulated: bool = False
    display_name: str | None = None

    @property
    def is_active_admin(self) -> bool:
        """Whether somebody can look after the scoreboard with it."""
        return self.role == "admin" and not self.disabled and not self.simulated

    def as_json(self) -> dict[str, str | bool]:
        """What an admin may see of it, in the words of the API."""
        return {**self.as_own_json(), "disabled": self.disabled, "simulated": self.simulated}

    def as_own_json(self) -> dict[str, str]:
        """What its owner sees of it, in the words of the API."""
        shown = self.display_name or self.username
        return {"userId": self.user_id, "username": self.username, "displayName": shown, "role": self.role}


@dataclass(frozen=True, slots=True)
class AccountChange:
    """What is to become of an account; None stays as it is. `takes_name`: the username is shown again."""

    role: Role | None = None
    disabled: bool | None = None
    simulated: bool | None = None
    takes_name: bool = False

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> AccountChange:
        """Read `{"role"?, "disabled"?, "simulated"?, "displayName"?: null}`, at least one of them; raises InvalidParameter."""
        if not body.keys() & {"role", "disabled", "simulated", "displayName"}:
            raise InvalidParameter("Send `role`, `disabled`, `simulated`, `displayName` or several of them.")
        if body.get("displayName") is not None:
            raise InvalidParameter("`displayName` can only be null here: it takes the name away. Its owner chooses another one.")
        flags = {name: body[name] for name in ("disabled", "simulated") if name in body}
        for name, value in flags.items():
            if not isinstance(value, bool):
                raise InvalidParameter(f"`{name}` must be true or false.")
        role = checked_role(body["role"]) if "role" in body else None
        return cls(role, **flags, takes_name="displayName" in body)

    def of(self, account: Account) -> Account:
        """The account as it becomes."""
        return replace(
            account,
            role=account.role if self.role is None else self.role,
            disabled=account.disabled if self.disabled is None else self.disabled,
            simulated=account.simulated if self.simulated is None else self.simulated,
            display_name=None if self.takes_name else account.display_name,
        )


@dataclass(frozen=True, slots=True)
class Profile:
    """What the update path and the board need to know of a player, cached in Redis.

    `hidden_on` are the boards on which a moderator has hidden them: ids separated by spaces, with `*` for every board.
    """

    user_id: str
    username: str
    role: Role
    api_key_hash: str
    disabled: bool = False
    display_name: str | None = None
    hidden_on: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, as a verified access token says; `session_id` is empty for one that belongs to no session of ours.

    `user_id` is empty for a viewer of a public board who showed no token.
    """

    user_id: str
    role: Role
    expires_at: datetime
    session_id: str = ""

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody has logged in: such a caller may watch a public board, and no more."""
        return not self.user_id

    def must_be_admin(self) -> None:
        """Raise Forbidden for everybody else."""
        if self.role != "admin":
            raise Forbidden("Only an admin may do that.")

    def must_own(self, user_id: str) -> None:
        """Raise NotYourScore unless the path speaks of the caller."""
        if user_id != self.user_id:
            raise NotYourScore

    def must_own_or_be_admin(self, user_id: str) -> None:
        """Raise NotYourHistory unless the path speaks of the caller, or an admin asks."""
        if self.role != "admin" and user_id != self.user_id:
            raise NotYourHistory

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


def checked_user_id(value: object) -> str:
    """The `userId` of a request; raises InvalidParameter."""
    if not isinstance(value, str) or not value.isprintable():
        raise InvalidParameter("`userId` must be the id of a user.")
    return canonical_id(value)


def checked_user_ids(value: object) -> list[str]:
    """The `userIds` of a request, at least one; raises InvalidParameter."""
    if not isinstance(value, list) or not value or not all(isinstance(each, str) and each.isprintable() for each in value):
        raise InvalidParameter("`userIds` must be a list of ids of users.")
    return [canonical_id(user_id) for user_id in value]
