"""What the ledger asks of the broker, which the model of the tests plays, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.ledger.dead_letter import WholeLetter
from shared.ledger.events import (
    ScoreAccepted,
    ScoresRecorded,
)


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
