"""What the use cases of the ledger ask of the stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol

from shared.ledger.balance import Gap
from shared.ledger.dead_letter import Choice, DeadLetter, Settled, WholeLetter
from shared.ledger.events import (
    Acceptance,
    FirstResult,
    HistoryEntry,
    Number,
    ReceivedMessage,
    RecordedBatch,
    RefusedMessage,
    ScoreAccepted,
    ScoresRecorded,
    Unpublished,
)
from shared.stores.actor import Actor

NO_MESSAGES: Mapping[str, ReceivedMessage] = MappingProxyType({})


class Ledger(Protocol):
    """The history of record (PostgreSQL)."""

    def record(
        self,
        events: Sequence[ScoreAccepted],
        marker_ids: Sequence[str] = (),
        *,
        messages: Mapping[str, ReceivedMessage] = NO_MESSAGES,
        unreadable: Sequence[RefusedMessage] = (),
    ) -> RecordedBatch:
        """Write events, running totals, audit rows and markers in one transaction; request ids it has are ignored.

        An event that is refused for its own sake takes nothing else down: the message it came in, of `messages` by request id, is
        kept whole until it is recorded, and so are those that are `unreadable`. What an operator discarded is not recorded.
        """
        ...

    def recorded(self, request_id: str) -> HistoryEntry | None:
        """What the ledger has of a request id."""
        ...

    def has_accepted(self, request_id: str) -> bool:
        """Whether an update of this request id reached the ledger, which recorded or refused it."""
        ...

    def first_result(self, key_id: str) -> FirstResult | None:
        """What an idempotency key was answered first in the last 24 hours."""
        ...

    def first_results(self) -> Iterator[list[FirstResult]]:
        """All of the last 24 hours, in pages."""
        ...

    def knows_all_keys(self) -> bool:
        """False for a day after the upgrade from a version that did not write them down: then `first_results` lacks some."""
        ...

    def forget_keys(self, limit: int) -> int:
        """Drop up to `limit` idempotency keys whose day is over; returns how many."""
        ...

    def accepted_since(self, since: datetime) -> dict[str, list[Acceptance]]:
        """By player, the updates that were accepted since then: recorded, refused, or noted as repeated."""
        ...

    def history(self, user_id: str, limit: int, before_id: int | None) -> list[HistoryEntry]:
        """Entries of one player, newest first, with ids below `before_id`."""
        ...

    def totals(self, user_ids: Sequence[str]) -> dict[str, int]:
        """Running totals of these players."""
        ...

    def audit(
        self,
        action: str,
        *,
        actor: str,
        user_id: str | None,
        detail: Mapping[str, Any],
        source_ip: str | None = None,
        request_id: str | None = None,
    ) -> None:
        """Write one row of audit_log."""
        ...

    def passed_markers(self, marker_ids: Sequence[str]) -> bool:
        """Whether the consumers have committed all of these different markers."""
        ...

    def open_epoch(self, newest: Number | None) -> int:
        """Give out an epoch above all others; `newest` is how far Redis had counted, None where it does not know."""
        ...

    def count_lost(self, before: int) -> dict[int, int]:
        """Give up numbers of epochs before this one that Redis lost again and that never arrived; answer how many of each epoch.

        Called when everything that was published in those epochs is recorded or noted as refused.
        """
        ...

    def lost(self) -> int:
        """How many numbers were given up."""
        ...

    def missing(self, up_to: Number, *, on_board: bool = False) -> list[Gap]:
        """Numbers up to this one that are neither recorded nor noted as refused, as gaps in their order, at most 1,000 an epoch.

        `on_board`: only those whose points may be on the board, which does not have what Redis lost.
        """
        ...


class DeadLetters(Protocol):
    """Messages that the ledger did not take, whole (PostgreSQL): dead letters, and updates that wait for another try."""

    def count(self, states: Sequence[str]) -> int:
        """How many are in these states."""
        ...

    def page(self, states: Sequence[str], limit: int, after_id: int = 0) -> list[DeadLetter]:
        """Those in these states with ids above `after_id`, oldest first."""
        ...

    def named(self, ids: Sequence[int]) -> list[DeadLetter]:
        """Those with these ids, in whatever state; the ledger has what is not there any more."""
        ...

    def find(self, name: int | str) -> WholeLetter | None:
        """One of them, in whatever state, by its id or its request id."""
        ...

    def choose(self, choice: Choice, *, patience_seconds: float) -> list[int]:
        """Ids of the chosen ones that wait or are parked, and of those that were redriven longer than `patience_seconds` ago."""
        ...

    def redrive(self, ids: Sequence[int], actor: str) -> Settled:
        """Note that they are published again, before they are; those that the ledger has already are forgotten."""
        ...

    def park_again(self, ids: Sequence[int]) -> None:
        """They could not be published."""
        ...

    def overdue(self, retry_delays: Sequence[float], patience_seconds: float, limit: int) -> list[WholeLetter]:
        """Those that should have come back `patience_seconds` ago, to be published again; `retry_delays` are the seconds that a
        message waits after its first, second and third attempt. Those that the ledger has are forgotten.
        """
        ...

    def discard(self, ids: Sequence[int], why: str, actor: Actor) -> Settled:
        """Take them out of the accepted ones, with an audit row each; those that the ledger has are forgotten."""
        ...

    def settle_copies(self, copies: Sequence[RefusedMessage]) -> list[str | None]:
        """Note the parked messages that are not known yet. Returns for each copy the key of the parked message that it is one of,
        or None when the message is not parked any more.
        """
        ...


class Outbox(Protocol):
    """The stream in which an accepted update waits until the ledger has it. Entry ids rise."""

    def pending(self, older_than_seconds: float, limit: int) -> list[ScoreAccepted]:
        """Events, oldest first, that have waited longer than `older_than_seconds`."""
        ...

    def unpublished(self, older_than_seconds: float, limit: int) -> Unpublished:
        """Those of the next `limit` such events that no process is known to have published."""
        ...

    def published(self, outbox_ids: Sequence[str]) -> None:
        """The broker has confirmed these entries of this process."""
        ...

    def relayed(self, outbox_id: str) -> None:
        """All entries up to this one have been published."""
        ...

    def settle(self, outbox_ids: Sequence[str]) -> None:
        """Remove entries that the ledger has."""
        ...

    def claim_relay(self, what: str) -> bool:
        """Whether the caller is the one who relays this now; of those who ask within a few seconds it is the first."""
        ...

    def newest_id(self) -> str:
        """The id of the newest entry ever added."""
        ...

    def waiting(self, after: str, up_to: str, limit: int) -> list[ScoreAccepted]:
        """At most `limit` events with ids above `after` ("" for the beginning) and up to `up_to`, oldest first."""
        ...

    def trim(self, entries: int) -> int:
        """Remove the oldest beyond so many `entries`; returns how many. Only what was published may be beyond them."""
        ...


class QueueGauge(Protocol):
    """The queues (RabbitMQ)."""

    def read(self) -> QueueState:
        """Messages that are being worked on are not counted."""
        ...

    def queue_of(self, user_id: str) -> str:
        """The queue that carries this player's updates."""
        ...


@dataclass(frozen=True, slots=True)
class QueueState:
    """How many messages lie ready, and how many consumers there are, by the name of the queue.

    `updates` of all those messages are on their way to the ledger.
    """

    messages: Mapping[str, int]
    consumers: Mapping[str, int]
    updates: int
    dead_letters: int


class EventPublisher(Protocol):
    """Confirmed publishing (RabbitMQ)."""

    def publish_accepted(self, events: Sequence[ScoreAccepted], *, keep: bool = True) -> None:
        """Publish events of the outbox and wait, bounded, until they are confirmed; raises RabbitUnavailable otherwise.

        With `keep` they go out by themselves when the broker is back, if this process still lives.
        """
        ...

    def publish_again(self, letters: Sequence[tuple[WholeLetter, bytes]], *, redriven: bool) -> None:
        """Send messages, with these bodies, to the ledger again, and wait, bounded, until they are confirmed; raises
        RabbitUnavailable otherwise: then some may be on their way.
        """
        ...

    def publish_recorded(self, event: ScoresRecorded) -> None:
        """Tell the broadcast that scores changed."""
        ...

    def publish_rebuild(self) -> None:
        """Wake the rebuild of the leaderboard."""
        ...

    def publish_marker(self, marker_id: str) -> list[str]:
        """Send markers through the queues of updates and answer their ids, which begin with `marker_id`.

        When the ledger has them all, it has all that was published before.
        """
        ...


class EventCodec(Protocol):
    """What stands in a queue message, sealed and opened."""

    def update(self, event: ScoreAccepted) -> bytes:
        """The body of a message of score_history_queue."""
        ...

    def open_update(self, body: bytes) -> ScoreAccepted | str:
        """The event of a message of score_history_queue, or the id of a marker; raises BadMessage."""
        ...

    def open_recorded(self, body: bytes) -> ScoresRecorded:
        """The event of a message of score_updated_queue; raises BadMessage."""
        ...


class DeadLetterQueue(Protocol):
    """The broker's copies of parked messages (RabbitMQ)."""

    def count(self) -> int:
        """How many there are."""
        ...

    def sift(self, settle: Callable[[Sequence[RefusedMessage]], Sequence[str | None]]) -> None:
        """Show them all to `settle`, some at a time, oldest first, as their headers describe them.

        It returns a key for each one that stays, None for each that goes; of several with the same key the newest stays. One
        that goes is removed after `settle` has returned.
        """
        ...


class Topology(Protocol):
    """The queues (RabbitMQ)."""

    def declare(self) -> list[str]:
        """Declare every queue, idempotent; answer their names."""
        ...

    def restore(self) -> list[str]:
        """Declare the queues that are missing; answer their names. Others are left as they are."""
        ...

    def backlog(self) -> int:
        """How many updates wait for the ledger, in the queue or for another try."""
        ...

    def retry(self, messages: Sequence[RefusedMessage]) -> None:
        """Have messages come back after a delay that grows with their attempts (1 to 3), confirmed."""
        ...

    def park(self, messages: Sequence[RefusedMessage]) -> None:
        """Put messages into the dead-letter queue, confirmed."""
        ...
