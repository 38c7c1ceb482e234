"""Every update of a player, newest first, page by page."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from shared.domain.player import Caller
from shared.domain.ranking import utc_text
from shared.domain.score import HistoryEntry
from shared.errors import InvalidParameter
from shared.ports import Ledger

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
_PREFIX = b"before:"


def get_score_history(user_id: str, limit: int, cursor: str, caller: Caller, ledger: Ledger) -> dict[str, Any]:
    """`{"data": [...], "nextCursor": ...}`; raises NotYourScore (admins may read every history) and InvalidParameter."""
    if caller.role != "admin":
        caller.must_own(user_id)
    entries = ledger.history(user_id, limit + 1, _read_cursor(cursor))
    page = entries[:limit]
    more = len(entries) > limit
    return {"data": [_as_json(entry) for entry in page], "nextCursor": _make_cursor(page[-1].id) if more else None}


def _as_json(entry: HistoryEntry) -> dict[str, Any]:
    return {
        "requestId": entry.request_id,
        "increment": entry.increment,
        "newScore": entry.new_score,
        "createdAt": utc_text(entry.created_at),
    }


def _make_cursor(before_id: int) -> str:
    return base64.urlsafe_b64encode(_PREFIX + str(before_id).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> int | None:
    if not cursor:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        text = b""
    digits = text.removeprefix(_PREFIX)
    if not text.startswith(_PREFIX) or not digits.isdigit() or len(digits) > 12:
        raise InvalidParameter("`cursor` must be the `nextCursor` of the page before, or left out.")
    return int(digits)
