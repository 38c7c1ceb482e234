"""Dead letters as operators see them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared.accounts.find_users import name_users
from shared.core.clock import utc_text
from shared.core.cursor import make_cursor, read_cursor
from shared.core.errors import BadMessage, InvalidParameter, NotFound
from shared.core.ids import canonical_id
from shared.ledger.dead_letter import STANDING, STATES, DeadLetter
from shared.ledger.events import ScoreAccepted
from shared.ledger.letter_stores import LetterStores, sift_if_out_of_step

if TYPE_CHECKING:
    from shared.accounts.postgresql import Users


DEFAULT_LIMIT, MAX_LIMIT = 50, 100
ORIGIN = "score_history_queue"
_MAX_DIGITS = 18


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


def show_dead_letter(name: int | str, stores: LetterStores, users: Users) -> dict[str, Any]:
    """By its id or its request id: what list_dead_letters tells of it, and `username`, `headers`, `digest`, `body`, `isWhole`,
    `content`, `unreadable` and `history`.

    `content` is the message opened with the server's keys, None where it cannot be: `unreadable` says why then. Raises NotFound.
    """
    whole = stores.letters.find(name)
    if whole is None:
        raise NotFound("There is no dead letter of this name: it was recorded, or never was.")
    content: dict[str, Any] | None = None
    unreadable: str | None = None
    try:
        content = _content(whole.body, stores)
    except BadMessage as error:
        unreadable = error.detail
    user_id = whole.letter.user_id
    return {
        **letter_as_json(whole.letter),
        "username": name_users([user_id], users).get(user_id or ""),
        "headers": dict(whole.headers),
        "digest": whole.letter.digest,
        "body": None if whole.body is None else whole.body.decode(errors="backslashreplace"),
        "isWhole": whole.is_whole,
        "content": content,
        "unreadable": unreadable,
        "history": list(whole.history),
    }


def _content(body: bytes | None, stores: LetterStores) -> dict[str, Any] | None:
    if body is None:
        return None
    event = stores.codec.open_update(body)
    if isinstance(event, str):
        return {"marker": event}
    return {
        "requestId": event.request_id,
        "userId": event.user_id,
        **_points(event),
        "acceptedAt": utc_text(event.accepted_at),
        "sourceIp": event.source_ip,
    }


def _points(event: ScoreAccepted) -> dict[str, Any]:
    if not event.places:
        return {"increment": event.increment, "newScore": event.new_score}
    metadata = json.loads(event.metadata) if event.metadata else None
    return {
        "board": event.board_id,
        "value": event.increment,
        "second": event.second,
        "metadata": metadata,
        "places": event.places,
    }


def parse_name(text: str) -> int | str:
    """An id where it is a number, otherwise a request id."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else canonical_id(text)
