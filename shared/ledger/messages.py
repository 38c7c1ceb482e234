"""What travels between the functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from shared.ledger.dead_letter import WholeLetter
from shared.ledger.events import RefusedMessage, ScoreAccepted, ScoresRecorded


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
