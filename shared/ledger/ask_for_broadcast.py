"""Have boards sent to those who watch them, by whoever broadcasts."""

from __future__ import annotations

from collections.abc import Sequence

from shared.core.clock import Clock
from shared.core.errors import RabbitUnavailable
from shared.core.logs import get_logger
from shared.ledger.events import EVERY_BOARD, ScoresRecorded
from shared.ledger.ports import EventPublisher

_log = get_logger(__name__)


def ask_for_broadcast(publisher: EventPublisher, clock: Clock, boards: Sequence[str] = ()) -> None:
    """Of `main`, or of these boards: through the queue of changes, with a change of none.

    While the broker is away the next change or sweep does it.
    """
    try:
        publisher.publish_recorded(ScoresRecorded(0, clock.now(), boards=tuple(boards)))
    except RabbitUnavailable:
        _log.warning("a broadcast could not be asked for")


def ask_for_every_broadcast(publisher: EventPublisher, clock: Clock) -> None:
    """The same of every board: what changed may stand on any."""
    ask_for_broadcast(publisher, clock, [EVERY_BOARD])
