"""Every entry of a player on a board, newest first, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.accounts.player import Caller
from shared.boards.board import MAIN
from shared.boards.entry import EntryPlace, PastEntry
from shared.core.clock import utc_text
from shared.core.cursor import MAX_ID, make_cursor, read_cursor
from shared.core.errors import UnknownBoard, UnknownUser

if TYPE_CHECKING:
    from shared.accounts.postgresql import Users
    from shared.boards.postgresql import Boards


DEFAULT_LIMIT, MAX_LIMIT = 50, 200


def get_board_entries(
    board_id: str, user_id: str, limit: int, cursor: str, caller: Caller, boards: Boards, users: Users
) -> dict[str, Any]:
    """`{"data": [...], "nextCursor"}`; raises NotYourHistory (admins read all), UnknownBoard, UnknownUser, InvalidParameter."""
    caller.must_own_or_be_admin(user_id)
    if board_id == MAIN.board_id:
        raise UnknownBoard("The updates of `main` are at GET /api/score/{user_id}/history.")
    has_second = boards.get(board_id).has_second
    before = read_cursor(cursor)
    entries = boards.entries(board_id, user_id, MAX_ID if before is None else before, limit + 1)
    if not entries and user_id != caller.user_id and not users.profiles([user_id]):
        raise UnknownUser
    page = entries[:limit]
    more = len(entries) > limit
    return {
        "data": [_as_json(entry, has_second=has_second) for entry in page],
        "nextCursor": make_cursor(page[-1].entry_id) if more else None,
    }


def _as_json(entry: PastEntry, *, has_second: bool) -> dict[str, Any]:
    return {
        "requestId": entry.request_id,
        "value": entry.value,
        **({"second": entry.second} if has_second else {}),
        **({"metadata": entry.metadata} if entry.metadata is not None else {}),
        "acceptedAt": utc_text(entry.accepted_at),
        "struckBy": entry.struck_by,
        "periods": [_place(place, has_second=has_second) for place in entry.places],
    }


def _place(place: EntryPlace, *, has_second: bool) -> dict[str, Any]:
    told = {"period": place.period, "season": place.season, "score": place.score}
    return {**told, **({"second": place.second} if has_second else {}), "rank": place.rank, "improved": place.improved}
