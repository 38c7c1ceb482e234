"""Wait until the ledger has everything that was accepted by now."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.core.clock import Clock
from shared.core.errors import LedgerBehind, RabbitUnavailable
from shared.ledger.events import Number
from shared.ledger.ports import EventPublisher

if TYPE_CHECKING:
    from shared.ledger.postgresql import Ledger
    from shared.ledger.redis import Outbox


CATCH_UP_SECONDS = 60.0
UNDER_WAY_SECONDS = 2.0  # nearly always it is recorded by then
FIRST_POLL_SECONDS, POLL_SECONDS = 0.01, 0.1
BATCH = 500
BEGINNING = ""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The way of an accepted update to the ledger; `catch_up_seconds` bounds how long a caller waits at its end."""

    ledger: Ledger
    outbox: Outbox
    publisher: EventPublisher
    clock: Clock
    catch_up_seconds: float = CATCH_UP_SECONDS


def catch_up(pipeline: Pipeline) -> None:
    """Send a marker through the queues, behind everything published before; raises LedgerBehind when that takes too long.

    What is left in the outbox when the marker has come through was not published, or the broker lost it: it is published again,
    and followed by another marker. An update that the ledger refused is not waited for: it is noted there.
    """
    wait = _Patience(pipeline.clock, pipeline.catch_up_seconds)
    newest = pipeline.outbox.newest_id()
    _pass_marker(pipeline, wait)
    wait()  # the consumer settles the outbox after it has committed
    while publish_again(pipeline.outbox, pipeline.publisher, newest):
        _pass_marker(pipeline, wait)
        wait()


def publish_again(outbox: Outbox, publisher: EventPublisher, up_to: str) -> int:
    """Publish every event that the outbox holds up to this entry, published or not; returns how many."""
    published, after = 0, BEGINNING
    while waiting := outbox.waiting(after, up_to, BATCH):
        publisher.publish_accepted(waiting, keep=False)
        published, after = published + len(waiting), waiting[-1].outbox_id
    return published


def catch_up_to(number: Number, pipeline: Pipeline) -> bool:
    """Wait until every update up to this number whose points are on the board is recorded or noted as refused.

    False when that takes too long, or when some are missing although everything published before has come through: then the
    ledger cannot say what the board should show.
    """
    wait = _Patience(pipeline.clock, min(pipeline.catch_up_seconds, UNDER_WAY_SECONDS))
    try:
        while pipeline.ledger.missing(number, on_board=True):
            wait()
    except LedgerBehind:
        return pipeline.catch_up_seconds > 0 and _comes_through(number, pipeline)
    return True


def _comes_through(number: Number, pipeline: Pipeline) -> bool:
    try:
        catch_up(pipeline)
    except (LedgerBehind, RabbitUnavailable):
        return False
    return not pipeline.ledger.missing(number, on_board=True)


def _pass_marker(pipeline: Pipeline, wait: _Patience) -> None:
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
