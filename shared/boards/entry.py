"""Entries: what is written to a board that an operator defined, and what became of it in each period."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from shared.accounts.server_key import ServerCredential
from shared.boards.definition import BoardDefinition
from shared.core.errors import InvalidParameter, ValueOutOfBounds
from shared.core.limits import LARGEST
from shared.core.rate_window import RateWindow
from shared.ledger.events import Number, asked_text

MAX_DIGITS = 40
_NO_SECOND = "This board has no second column: leave `second` out."


class ScoreEntry(NamedTuple):
    """A command on its way into a board's script; `metadata` is JSON, "" without any. `server_key` is that of the game's server
    when it writes, and not the player. The rest is as in ScoreUpdate.
    """

    request_id: str
    board_id: str
    user_id: str
    value: int
    second: int
    metadata: str
    source_ip: str
    api_key_hash: str | None = None
    key_id: str = ""
    ticket_expires_at: datetime | None = None
    session_id: str = ""
    server_key: ServerCredential | None = None

    @property
    def writer(self) -> str:
        """As the audit log names who wrote it, "" for the player."""
        return "" if self.server_key is None else self.server_key.actor

    @property
    def asked(self) -> str:
        """What must be the same when an idempotency key comes again."""
        return asked_text(self.value, self.second, self.metadata)


class EntryPlace(NamedTuple):
    """Where an entry left its player in a season; `rank` counts from 1. `improved`: they stand better than before."""

    period: str
    season: int
    score: int
    second: int
    rank: int
    improved: bool


class AcceptedEntry(NamedTuple):
    """What the script answered; `text` says the `places` as it does. The rest is as in AcceptedUpdate."""

    request_id: str
    user_id: str
    places: Sequence[EntryPlace]
    text: str
    accepted_at: datetime
    rate_window: RateWindow
    outbox_id: str | None
    number: Number | None = None
    replayed: bool = False


# The number of the entry that made a score, and its metadata.
Made = tuple[Number, dict[str, Any]]


class PastEntry(NamedTuple):
    """An entry as the ledger has it; `struck_by` is the decision by which it does not count, None while it counts."""

    entry_id: int
    request_id: str
    value: int
    second: int
    metadata: dict[str, Any] | None
    places: Sequence[EntryPlace]
    accepted_at: datetime
    struck_by: int | None


class BoardMoved(NamedTuple):
    """What a script answers to who does not know the board as it is at `now` (ms, Redis's clock): its definition or seasons."""

    now: int


def parse_places(text: str) -> list[EntryPlace]:
    """Of the form that add_entry.lua writes; raises ValueError."""
    places = []
    for part in text.split("|"):
        period, season, score, second, rank, improved = part.split(":")
        places.append(EntryPlace(period, int(season), int(score), int(second), int(rank), improved == "1"))
    return places


def parse_values(body: Mapping[str, Any], board: BoardDefinition) -> tuple[int, int, str]:
    """`{"value": …, "second"?: …, "metadata"?: {…}}` as value, second and metadata (JSON, or "").

    Raises ValueOutOfBounds or InvalidParameter.
    """
    value, second, text = whole_number(body, "value"), 0, ""
    if board.has_second:
        second = whole_number(body, "second")
    elif body.get("second") is not None:
        raise InvalidParameter(_NO_SECOND)
    metadata = body.get("metadata")
    if metadata is not None:
        if not isinstance(metadata, dict):
            raise InvalidParameter("`metadata` must be a JSON object.")
        _check_part(metadata)
        text = json.dumps(metadata, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    check_values(value, second, text, board)
    return value, second, text


def check_values(value: int, second: int, metadata: str, board: BoardDefinition) -> None:
    """Whether the board takes these; raises ValueOutOfBounds or InvalidParameter."""
    if not board.min_value <= value <= board.max_value:
        raise ValueOutOfBounds(f"`value` must be {board.min_value} to {board.max_value} on this board.")
    if second and not board.has_second:
        raise InvalidParameter(_NO_SECOND)
    if metadata and len(metadata.encode()) > board.metadata_bytes:
        raise InvalidParameter(f"`metadata` may have {board.metadata_bytes} bytes of JSON on this board.")


def _check_part(part: object) -> None:
    """What PostgreSQL keeps as it is: it writes every digit of a number, and has no NUL."""
    if isinstance(part, str):
        if "\0" in part:
            raise InvalidParameter("`metadata` must not contain NUL characters.")
    elif isinstance(part, float):
        if len(format(Decimal(repr(part)), "f")) > MAX_DIGITS:
            raise InvalidParameter(f"A number in `metadata` may have {MAX_DIGITS} digits, written out. Send it as a text.")
    elif isinstance(part, dict | list):
        for each in part:
            _check_part(each)
            if isinstance(part, dict):
                _check_part(part[each])


def whole_number(body: Mapping[str, Any], name: str) -> int:
    """A member of at most 53 bits in size; raises InvalidParameter and ValueOutOfBounds."""
    value = body.get(name)
    if type(value) is not int:
        raise InvalidParameter(f"`{name}` must be an integer.")
    if abs(value) > LARGEST:
        raise ValueOutOfBounds(f"`{name}` must be at most {LARGEST} in size.")
    return value
