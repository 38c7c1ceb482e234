"""The names of those who are spoken of by their ids."""

from __future__ import annotations

from collections.abc import Iterable

from shared.accounts.ports import Users
from shared.core.errors import PostgresUnavailable


def name_users(user_ids: Iterable[str | None], users: Users) -> dict[str, str]:
    """Names by id, of those who have an account; a help to readers, so without a database nobody has a name."""
    wanted = sorted({user_id for user_id in user_ids if user_id})
    try:
        return {user_id: profile.username for user_id, profile in users.profiles(wanted).items()}
    except PostgresUnavailable:
        return {}
