"""Publish what a crash, or a broker that was away, left in the outbox; safe to run twice and side by side."""

from __future__ import annotations

from shared.errors import RabbitUnavailable
from shared.logs import get_logger
from shared.ports import EventPublisher, Outbox

BATCH = 500
MAX_BATCHES = 2000
OLDER_THAN_SECONDS = 5.0
_log = get_logger(__name__)


def relay_outbox(outbox: Outbox, publisher: EventPublisher, older_than_seconds: float = OLDER_THAN_SECONDS) -> int:
    """Answer how many events were published; those younger than `older_than_seconds` may still be on their way. Stops quietly
    when the broker is away: the next run goes on.

    A second copy of an event does no harm: the ledger ignores request ids it has.
    """
    published = 0
    for _ in range(MAX_BATCHES):
        waiting = outbox.pending(older_than_seconds, BATCH)
        if not waiting:
            break
        try:
            publisher.publish_accepted(waiting, keep=False)
        except RabbitUnavailable:
            _log.warning("the broker is away; events wait in the outbox", extra={"published": published})
            break
        published += len(waiting)
        _log.info("updates published from the outbox", extra={"updates": [event.request_id for _, event in waiting]})
    if published:
        _log.warning("events relayed from the outbox", extra={"published": published})
    return published
