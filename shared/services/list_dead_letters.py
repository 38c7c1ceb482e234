"""What lies among the dead letters, and why."""

from __future__ import annotations

from typing import Any

from shared.ports import DeadLetters

DEFAULT_LIMIT, MAX_LIMIT = 50, 100


def list_dead_letters(limit: int, dead_letters: DeadLetters) -> dict[str, Any]:
    """`{"data": [...], "nextCursor": None, "total": n}`, oldest first; a queue has no cursor. They stay where they are."""
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
    return {"data": data, "nextCursor": None, "total": total}
