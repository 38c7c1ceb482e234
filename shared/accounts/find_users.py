"""Accounts, by name or id, or all of them page by page in the order of their names."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from shared.accounts.player import Account, checked_username
from shared.core.cursor import make_name_cursor, read_name_cursor
from shared.core.errors import InvalidParameter, PostgresUnavailable, UnknownUser
from shared.core.ids import canonical_id

if TYPE_CHECKING:
    from shared.accounts.postgresql import Users


DEFAULT_LIMIT, MAX_LIMIT = 20, 100
_MAX_BEGINNING = 50
_WAYS = ("username", "userId", "search")


def find_users(query: Mapping[str, str], limit: int, users: Users) -> dict[str, Any]:
    """`{"data": [...], "nextCursor": ...}`: who has this `username` or `userId`, or all whose names or display names begin with
    `search`.

    Raises InvalidUsername and InvalidParameter.
    """
    if sum(way in query for way in _WAYS) > 1:
        raise InvalidParameter("Send only one of `username`, `userId` and `search`.")
    if "username" in query:
        return _page([users.by_username(checked_username(query["username"]))])
    if "userId" in query:
        return _page([users.by_id(_checked_id(query["userId"]))])
    beginning = query.get("search", "")
    if len(beginning) > _MAX_BEGINNING or any(unicodedata.category(character) in ("Cc", "Cs") for character in beginning):
        raise InvalidParameter(f"`search` must be the beginning of a name: at most {_MAX_BEGINNING} characters.")
    found = users.beginning_with(beginning, limit + 1, read_name_cursor(query.get("cursor", "")))
    page = found[:limit]
    return _page(page, make_name_cursor(page[-1].username) if len(found) > limit else None)


def user_named(name: str, users: Users) -> Account:
    """Whose id it is, or else whose username; raises UnknownUser."""
    is_possible = 0 < len(name) <= _MAX_BEGINNING and name.isprintable()
    found = is_possible and (users.by_id(canonical_id(name)) or users.by_username(name))
    if not found:
        raise UnknownUser
    return found


def _checked_id(value: str) -> str:
    if not 1 <= len(value) <= 36 or not value.isprintable():
        raise InvalidParameter("`userId` must be the id of a user.")
    return canonical_id(value)


def _page(accounts: list[Account | None] | list[Account], next_cursor: str | None = None) -> dict[str, Any]:
    return {"data": [account.as_json() for account in accounts if account], "nextCursor": next_cursor}


def name_users(user_ids: Iterable[str | None], users: Users) -> dict[str, str]:
    """Names by id, of those who have an account; a help to readers, so without a database nobody has a name."""
    wanted = sorted({user_id for user_id in user_ids if user_id})
    try:
        return {user_id: profile.username for user_id, profile in users.profiles(wanted).items()}
    except PostgresUnavailable:
        return {}
