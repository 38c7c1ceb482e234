"""The caller's own account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.accounts.player import Caller
from shared.core.errors import UnknownUser

if TYPE_CHECKING:
    from shared.accounts.postgresql import Users


def get_me(caller: Caller, users: Users) -> dict[str, str]:
    """`{userId, username, displayName, role}`; raises UnknownUser for whom only an outside provider knows."""
    account = users.by_id(caller.user_id)
    if account is None:
        raise UnknownUser("The user of this access token has no account here.")
    return account.as_own_json()
