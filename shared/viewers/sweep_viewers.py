"""Drop viewers whose session has ended; have those served who were left waiting."""

from __future__ import annotations

from shared.core.platform import Clock
from shared.ledger.messages import EventPublisher
from shared.viewers.ask_for_broadcast import ask_for_broadcast
from shared.viewers.ports import Viewers


def sweep_viewers(viewers: Viewers, publisher: EventPublisher, clock: Clock) -> int:
    """Answer how many were dropped."""
    sweep = viewers.sweep()
    if sweep.is_behind:
        ask_for_broadcast(publisher, clock)
    return sweep.ended
