"""One dead letter, whole."""

from __future__ import annotations

from typing import Any

from shared.accounts.name_users import name_users
from shared.accounts.ports import Users
from shared.core.clock import utc_text
from shared.core.errors import BadMessage, NotFound
from shared.core.ids import canonical_id
from shared.ledger.letter_stores import LetterStores
from shared.ledger.list_dead_letters import letter_as_json

_MAX_DIGITS = 18


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
        "increment": event.increment,
        "newScore": event.new_score,
        "acceptedAt": utc_text(event.accepted_at),
        "sourceIp": event.source_ip,
    }


def parse_name(text: str) -> int | str:
    """An id where it is a number, otherwise a request id."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else canonical_id(text)
