"""Write a batch of accepted updates into the ledger, park what can never be written, and tell the broadcast."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from shared.domain.score import ScoreAccepted, ScoresRecorded
from shared.errors import BadMessage, RabbitUnavailable
from shared.logs import get_logger
from shared.ports import EventCodec, EventPublisher, Ledger, Topology

_log = get_logger(__name__)


def record_scores(
    bodies: Sequence[bytes], codec: EventCodec, ledger: Ledger, topology: Topology, publisher: EventPublisher
) -> int:
    """Answer how many updates were new. Returning settles the whole batch.

    What does not decrypt, has the wrong shape or names an unknown user goes to the dead-letter queue at once with its reason and
    never takes its batch down. PostgresUnavailable escapes, and so does RabbitUnavailable while parking: the batch returns whole,
    and what the ledger has of it is ignored the next time.
    """
    events: dict[str, tuple[ScoreAccepted, bytes]] = {}
    marker_ids: list[str] = []
    parked: list[tuple[bytes, str]] = []
    for body in bodies:
        try:
            opened = codec.open_update(body)
        except BadMessage as error:
            parked.append((body, error.detail))
            continue
        if isinstance(opened, str):
            marker_ids.append(opened)
        else:
            events[opened.request_id] = (opened, body)
    recorded = ledger.record([event for event, _ in events.values()], marker_ids)
    parked += [(events[request_id][1], "unknown user") for request_id in sorted(recorded.unknown_users)]
    if parked:
        _log.error("messages parked", extra={"count": len(parked), "reasons": sorted({reason for _, reason in parked})})
        topology.park(parked)
    if events:
        _tell(publisher, len(events), min(event.accepted_at for event, _ in events.values()))
    return recorded.new


def _tell(publisher: EventPublisher, updates: int, accepted_at: datetime) -> None:
    """Viewers who miss this change see it with the next one; the ledger's work must not be done again for that."""
    try:
        publisher.publish_recorded(ScoresRecorded(updates, accepted_at))
    except RabbitUnavailable:
        _log.warning("the broadcast was not told of a batch", extra={"updates": updates})
