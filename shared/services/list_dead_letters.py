"""What lies among the dead letters, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.errors import InvalidParameter
from shared.ports import DeadLetters, Users
from shared.services.name_users import name_users

DEFAULT_LIMIT, MAX_LIMIT = 50, 100


def parse_limit(event: Mapping[str, Any]) -> int:
    """Read `{"limit"?: n}` of an operator; raises InvalidParameter."""
    limit = event.get("limit", DEFAULT_LIMIT)
    if type(limit) is not int or limit < 1:
        raise InvalidParameter("`limit` must be a positive integer.")
    return limit


def list_dead_letters(limit: int, dead_letters: DeadLetters, users: Users) -> dict[str, Any]:
    """`{"data": [...], "nextCursor": None, "total": n, "usernames": {...}}`, oldest first.

    A queue has no cursor. They stay where they are.
    """
    found, total = dead_letters.peek(limit)
    data = [
        {
            "requestId": letter.request_id,
            "userId": letter.user_id,
            "increment": letter.increment,
            "reason": letter.reason,
            "parkedAt": letter.parked_at,
            "attempts": letter.attempts,
            "origin": letter.origin,
            "size": letter.size,
        }
        for letter in found
    ]
    usernames = name_users((letter.user_id for letter in found), users)
    return {"data": data, "nextCursor": None, "total": total, "usernames": usernames}
