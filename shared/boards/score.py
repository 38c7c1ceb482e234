"""What an update is, and which increments are allowed."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from shared.core.errors import InvalidIncrement
from shared.core.rate_window import RateWindow
from shared.ledger.events import Number


def checked_increment(value: object, allowed: range) -> int:
    """Accept only an integer that is allowed (True is not an integer here); raises InvalidIncrement."""
    if type(value) is not int or value not in allowed:
        raise InvalidIncrement
    return value


class NewestEpoch(NamedTuple):
    """How far Redis has counted: the `newest` number, None before the first epoch; whether more may follow in this epoch; and
    which `server` says so, by its run id and its replication id.
    """

    newest: Number | None
    is_open: bool
    server: str


class ScoreUpdate(NamedTuple):
    """A command on its way into the leaderboard's script.

    `request_id` is made by the server: the ticket's, if one is spent, otherwise a new one. `key_id` names the player's
    idempotency key, "" without one.
    """

    request_id: str
    user_id: str
    increment: int
    source_ip: str
    api_key_hash: str | None = None
    key_id: str = ""
    ticket_expires_at: datetime | None = None
    session_id: str = ""


class AcceptedUpdate(NamedTuple):
    """What the script answered: the new score, the 1-based rank, what is left of the rate window.

    `replayed`: this is the first result of the same idempotency key, given again.
    The event waits in the outbox under `outbox_id` until the ledger has it; of one that is replayed there may be none any more.
    """

    request_id: str
    user_id: str
    increment: int
    score: int
    rank: int
    accepted_at: datetime
    rate_window: RateWindow
    outbox_id: str | None
    number: Number | None = None
    replayed: bool = False
