"""What the API answers, as it stands in its JSON."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class Line(TypedDict):
    """A row of the board."""

    userId: str
    username: str
    displayName: NotRequired[str]
    rank: int
    score: int


class Standing(Line):
    """A player's place, with those around."""

    neighbours: list[Line]


class Receipt(TypedDict):
    """What an update has made."""

    userId: str
    score: int
    rank: int
    increment: int
    requestId: str


class PeriodPlace(TypedDict):
    """Where an entry left its player in a season; `second` on boards that have a second column."""

    period: str
    season: int
    score: int
    second: NotRequired[int]
    rank: int
    improved: bool


class EntryReceipt(TypedDict):
    """What an entry on a board has made; score and rank are those of the first period that is open."""

    userId: str
    board: str
    score: int
    second: NotRequired[int]
    rank: int
    improved: bool
    periods: list[PeriodPlace]
    requestId: str


class BoardRow(Line):
    """A row of a board; `metadata` where it was asked for."""

    second: NotRequired[int]
    metadata: NotRequired[dict[str, Any] | None]


class BoardPage(TypedDict):
    """Rows that follow one another; `nextCursor` is None at the end, `version` compares as text."""

    data: list[BoardRow]
    nextCursor: str | None
    total: int
    asOf: str
    version: str
    period: str
    season: int


class HistoryEntry(TypedDict):
    """An update as the ledger has it."""

    requestId: str
    increment: int
    newScore: int
    createdAt: str


class Board(TypedDict):
    """The best players; `version`, which only rises, where it came live."""

    data: list[Line]
    cache_time: str
    type: NotRequired[str]
    version: NotRequired[int]


class OwnAccount(TypedDict):
    """One's own account; `displayName` is the username of who chose none."""

    userId: str
    username: str
    displayName: str
    role: str


class Account(TypedDict):
    """A new account; its API key is shown this once."""

    userId: str
    username: str
    role: str
    apiKey: str
