"""What travels to the ledger, and what becomes of it there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from shared.core.limits import MAX_RETRIES
from shared.core.redis_shards import FIRST

UNKNOWN_USER = "unknown user"
UNKNOWN_BOARD = "unknown board"
EVERY_BOARD = "*"  # in the place of a board's id


class Number(NamedTuple):
    """The number of an accepted update on its board: no two updates have the same.

    The script that accepts the update counts `sequence`, from 1. The ledger gives out `epoch`, a higher one whenever Redis may
    have gone back to an earlier state, so that a sequence that went back repeats no number. Numbers compare in the order of
    acceptance.
    """

    epoch: int
    sequence: int


class ScoreAccepted(NamedTuple):
    """The event of an accepted update, as it travels to the ledger; `accepted_at` is UTC, `rank` counts from 1, 0 where unknown.

    `number` is None in events of versions that did not count. `outbox_id` is the entry of the outbox that goes when the ledger
    has the event, "" without one. `key_id` names the idempotency key, "" without one.

    On boards other than `main` it is an entry: `increment` is its value, beside a `second` one, `metadata` (JSON, or ""), and
    `places`, what it came to in each period (period:season:score:second:rank:improved, separated by |). `writer` is the game
    server that wrote it, "" for the player. `shard` is the one in whose outbox it is.
    """

    request_id: str
    user_id: str
    increment: int
    new_score: int
    accepted_at: datetime
    source_ip: str
    number: Number | None = None
    outbox_id: str = ""
    key_id: str = ""
    rank: int = 0
    board_id: str = "main"
    second: int = 0
    metadata: str = ""
    places: str = ""
    writer: str = ""
    shard: str = FIRST

    @property
    def outbox_entry(self) -> str:
        """Its entry among those of all outboxes; "" without one."""
        return self.outbox_id if self.shard == FIRST or not self.outbox_id else f"{self.outbox_id} {self.shard}"


class Unpublished(NamedTuple):
    """Events of the outbox that no process is known to have published, oldest first, and the entry `up_to` which was looked: None
    at the end.
    """

    events: Sequence[ScoreAccepted]
    up_to: str | None


@dataclass(frozen=True, slots=True)
class ScoresRecorded:
    """A batch of updates reached the ledger: `updates` of them, the first one accepted at `accepted_at` (UTC).

    `request_ids` names them, so that the log can tell in which version each was shown. `boards` are those that changed, only
    `main` when it is empty.
    """

    updates: int
    accepted_at: datetime
    request_ids: tuple[str, ...] = ()
    boards: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordedBatch:
    """What became of a batch in the ledger: how many updates were `new`; request ids and reasons of those it `refused`; request
    ids that were `known` before, and of those the reasons why a `second` update with the same id was refused.

    `letters` are the messages to be sent on, to another try or to the dead letters. The ledger has them whole. `entries` of the
    new updates are on boards other than `main`.
    """

    new: int
    refused: Mapping[str, str] = field(default_factory=dict)
    known: Sequence[str] = field(default=(), compare=False)
    second: Mapping[str, str] = field(default_factory=dict, compare=False)
    letters: Sequence[RefusedMessage] = field(default=(), compare=False)
    entries: int = field(default=0, compare=False)


class Acceptance(NamedTuple):
    """When an update was accepted (ms), and under which request id."""

    at: int
    request_id: str


@dataclass(frozen=True, slots=True)
class FirstResult:
    """What an idempotency key was answered first; `rank` counts from 1. `asked` and `places` are empty on `main`."""

    key_id: str
    request_id: str
    user_id: str
    increment: int
    score: int
    rank: int
    accepted_at: datetime
    asked: str = ""
    places: str = ""


def asked_text(value: int, second: int, metadata: str) -> str:
    """What must be the same when the idempotency key of an entry comes again."""
    return f"{value} {second} {hashlib.sha256(metadata.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message of score_history_queue: how often it was tried before, and whether it came back from the dead letters.

    `trace` are the headers of the trace it is a part of.
    """

    body: bytes
    attempts: int = 0
    redriven: bool = False
    trace: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_known(self) -> bool:
        """Whether the ledger may have refused it before."""
        return self.redriven or self.attempts > 0

    def refused(self, reason: str, event: ScoreAccepted | None = None) -> RefusedMessage:
        """What becomes of it when it is not recorded; `event` is what it says, None when it cannot be opened."""
        return RefusedMessage(self.body, reason, self.attempts + 1, self.trace, event, may_retry=not self.redriven)


@dataclass(frozen=True, slots=True)
class RefusedMessage:
    """A message that could not be recorded, for what reason, and after how many attempts.

    `event` is what it says, None when it cannot be opened. What came back from the dead letters is not tried again by itself.
    `refused_at` is None for now. With `is_second` another update has the request id: the player's request was accepted twice.
    """

    body: bytes
    reason: str
    attempts: int
    trace: Mapping[str, str] = field(default_factory=dict)
    event: ScoreAccepted | None = None
    may_retry: bool = True
    refused_at: datetime | None = None
    is_second: bool = False

    @property
    def request_id(self) -> str | None:
        """Of the update; None when the message cannot be opened."""
        return None if self.event is None else self.event.request_id

    @property
    def is_parked(self) -> bool:
        """Whether it goes to the dead letters, not to another try."""
        return self.event is None or self.attempts > MAX_RETRIES or not self.may_retry

    @property
    def digest(self) -> str:
        """SHA-256 of the body."""
        return hashlib.sha256(self.body).hexdigest()

    @property
    def key(self) -> str:
        """The same for every copy of the message."""
        return self.digest if self.is_second or self.request_id is None else self.request_id


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One row of score_history."""

    id: int
    request_id: str
    user_id: str
    increment: int
    new_score: int
    created_at: datetime
