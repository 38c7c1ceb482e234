"""Have the board sent although no score changed: somebody waits for it."""

from __future__ import annotations

from shared.core.errors import RabbitUnavailable
from shared.core.logs import get_logger
from shared.core.platform import Clock
from shared.ledger.events import ScoresRecorded
from shared.ledger.messages import EventPublisher

_log = get_logger(__name__)


def ask_for_broadcast(publisher: EventPublisher, clock: Clock) -> None:
    """Through the queue of changes, with a change of none. While the broker is away the next change or sweep does it."""
    try:
        publisher.publish_recorded(ScoresRecorded(0, clock.now()))
    except RabbitUnavailable:
        _log.warning("a broadcast could not be asked for")
