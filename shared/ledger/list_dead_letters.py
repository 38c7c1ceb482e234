"""Which messages the ledger did not take, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.accounts.name_users import name_users
from shared.accounts.ports import Users
from shared.core.clock import utc_text
from shared.core.cursor import make_cursor, read_cursor
from shared.core.errors import InvalidParameter
from shared.ledger.dead_letter import STANDING, STATES, DeadLetter
from shared.ledger.letter_stores import LetterStores, sift_if_out_of_step

DEFAULT_LIMIT, MAX_LIMIT = 50, 100
ORIGIN = "score_history_queue"


def parse_limit(event: Mapping[str, Any]) -> int:
    """Read `{"limit"?: n}` of an operator; raises InvalidParameter."""
    limit = event.get("limit", DEFAULT_LIMIT)
    if type(limit) is not int or not 1 <= limit <= 10_000:
        raise InvalidParameter("`limit` must be an integer from 1 to 10000.")
    return limit


def list_dead_letters(limit: int, cursor: object, state: object, stores: LetterStores, users: Users) -> dict[str, Any]:
    """`{"data": [...], "nextCursor": ..., "total": n, "usernames": {...}}`, oldest first; raises InvalidParameter.

    Those in one `state`, or with "" all but the discarded ones. They stay where they are.
    """
    if state not in ("", *STATES):
        raise InvalidParameter(f"`state` must be one of {', '.join(STATES)}, or left out.")
    if not isinstance(cursor, str):
        raise InvalidParameter("`cursor` must be a text.")
    states = [str(state)] if state else STANDING
    after_id = read_cursor(cursor) or 0
    sift_if_out_of_step(stores)
    found = stores.letters.page(states, limit + 1, after_id)
    page = found[:limit]
    return {
        "data": [letter_as_json(letter) for letter in page],
        "nextCursor": make_cursor(page[-1].id) if len(found) > limit else None,
        "total": stores.letters.count(states),
        "usernames": name_users((letter.user_id for letter in page), users),
    }


def letter_as_json(letter: DeadLetter) -> dict[str, Any]:
    """What is told of each."""
    return {
        "id": letter.id,
        "state": letter.state,
        "requestId": letter.request_id,
        "userId": letter.user_id,
        "increment": letter.increment,
        "number": None if letter.epoch is None else {"epoch": letter.epoch, "sequence": letter.sequence},
        "reason": letter.reason,
        "refusedAt": utc_text(letter.noted_at),
        "parkedAt": utc_text(letter.changed_at),
        "attempts": letter.attempts,
        "origin": ORIGIN,
        "size": letter.size,
    }
