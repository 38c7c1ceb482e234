"""Every update of a player, newest first, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.accounts.player import Caller
from shared.core.clock import utc_text
from shared.core.cursor import make_cursor, read_cursor
from shared.core.errors import UnknownUser
from shared.ledger.events import HistoryEntry

if TYPE_CHECKING:
    from shared.accounts.postgresql import Users
    from shared.ledger.postgresql import Ledger


DEFAULT_LIMIT, MAX_LIMIT = 50, 200


def get_score_history(user_id: str, limit: int, cursor: str, caller: Caller, ledger: Ledger, users: Users) -> dict[str, Any]:
    """`{"data": [...], "nextCursor": ...}`; raises NotYourHistory (admins read all), UnknownUser, InvalidParameter."""
    caller.must_own_or_be_admin(user_id)
    entries = ledger.history(user_id, limit + 1, read_cursor(cursor))
    if not entries and user_id != caller.user_id and not users.profiles([user_id]):
        raise UnknownUser
    page = entries[:limit]
    more = len(entries) > limit
    return {"data": [_as_json(entry) for entry in page], "nextCursor": make_cursor(page[-1].id) if more else None}


def _as_json(entry: HistoryEntry) -> dict[str, Any]:
    return {
        "requestId": entry.request_id,
        "increment": entry.increment,
        "newScore": entry.new_score,
        "createdAt": utc_text(entry.created_at),
    }
