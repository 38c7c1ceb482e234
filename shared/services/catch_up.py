"""Wait until the ledger has everything that was accepted by now."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from shared.errors import LedgerBehind
from shared.ports import Clock, EventPublisher, Ledger, Outbox
from shared.services.relay_outbox import relay_outbox

CATCH_UP_SECONDS = 60.0
FIRST_POLL_SECONDS, POLL_SECONDS = 0.01, 0.1


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The way of an accepted update to the ledger; `catch_up_seconds` bounds how long anybody waits at its end."""

    ledger: Ledger
    outbox: Outbox
    publisher: EventPublisher
    clock: Clock
    catch_up_seconds: float = CATCH_UP_SECONDS


def catch_up(pipeline: Pipeline) -> None:
    """Out of the outbox, and through the queues behind a marker; raises LedgerBehind when that takes too long.

    An update the ledger refused is not waited for: it is noted there as waiting.
    """
    wait = _Patience(pipeline.clock, pipeline.catch_up_seconds)
    newest = pipeline.outbox.newest_id()
    while pipeline.outbox.waiting_up_to(newest):
        relay_outbox(pipeline.outbox, pipeline.publisher)
        wait()
    marker_ids = pipeline.publisher.publish_marker(str(uuid.uuid4()))
    while not pipeline.ledger.passed_markers(marker_ids):
        wait()


class _Patience:
    """Short waits at first, then longer ones, until it is enough."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._deadline = clock.monotonic() + seconds
        self._pause = FIRST_POLL_SECONDS

    def __call__(self) -> None:
        if self._clock.monotonic() > self._deadline:
            raise LedgerBehind
        self._clock.sleep(self._pause)
        self._pause = min(self._pause * 1.5, POLL_SECONDS)
