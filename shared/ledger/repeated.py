"""Updates that were accepted twice: Redis had lost the first acceptance, with what would have told that it was one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from shared.core import metrics
from shared.core.ids import new_request_id
from shared.core.logs import get_logger
from shared.ledger.events import Number, ScoreAccepted
from shared.stores.postgresql.arrays import int_array, text_array
from shared.stores.postgresql.session import Session
from shared.stores.postgresql.statements import statement

A_DAY = timedelta(hours=24)
_log = get_logger(__name__)


def record_keys(session: Session, events: Sequence[ScoreAccepted]) -> list[ScoreAccepted]:
    """Write down the idempotency keys of a batch; returns the events that are to be recorded.

    An event whose key another update has within a day is left out when it counts already.
    """
    keyed = {event.key_id: event for event in reversed(events) if event.key_id}
    if not keyed:
        return list(events)
    # What was redriven or kept waiting for long may meet what its key was used for on another day.
    other_days = [event for event in events if event.key_id and abs(event.accepted_at - keyed[event.key_id].accepted_at) >= A_DAY]
    events = [event for event in events if event not in other_days] if other_days else events
    first = list(keyed.values())
    rows = session.run(
        statement("record_keys"),
        key_ids=text_array([event.key_id for event in first]),
        request_ids=text_array([event.request_id for event in first]),
        user_ids=text_array([event.user_id for event in first]),
        increments=int_array([event.increment for event in first]),
        new_scores=int_array([event.new_score for event in first]),
        ranks=int_array([event.rank for event in first]),
        accepted_ats=int_array([int(event.accepted_at.timestamp() * 1000) for event in first]),
        epochs=int_array([event.number.epoch if event.number else 0 for event in first]),
        sequences=int_array([event.number.sequence if event.number else 0 for event in first]),
    )
    others = {request_id: _number(epoch, sequence) for request_id, epoch, sequence in rows}
    others |= {
        event.request_id: keyed[event.key_id].number
        for event in events
        if event.key_id and keyed[event.key_id].request_id != event.request_id
    }
    counted = [event for event in events if event.request_id not in others or _counts(session, event, others[event.request_id])]
    return counted + record_keys(session, other_days)


def accepted_again(session: Session, events: Mapping[str, ScoreAccepted], request_ids: Collection[str]) -> list[ScoreAccepted]:
    """Of events whose request ids the ledger has, those that are to be recorded all the same, under request ids of their own.

    The others are second copies of what the ledger has, or count already.
    """
    numbered = {request_id: number for request_id in request_ids if (number := events[request_id].number) is not None}
    if not numbered:
        return []
    rows = session.run(
        statement("find_recorded_numbers"),
        request_ids=text_array(list(numbered)),
        epochs=int_array([number.epoch for number in numbered.values()]),
        sequences=int_array([number.sequence for number in numbered.values()]),
    )
    known = {request_id: _number(epoch, sequence) for request_id, epoch, sequence in rows}
    recorded = set(known.values())
    return [
        events[request_id]._replace(request_id=new_request_id(), key_id="")
        for request_id, number in numbered.items()
        if number not in recorded and _counts(session, events[request_id], known.get(request_id))
    ]


def _counts(session: Session, event: ScoreAccepted, first: Number | None) -> bool:
    """Whether a second acceptance counts: both are on the board when both were numbered in one epoch.

    Otherwise Redis had lost the first one before it accepted the second: the board has the points once, and so has the ledger.
    """
    if event.number is None or first is None or event.number == first:
        return False
    counts = event.number.epoch == first.epoch
    if not counts:
        session.run(
            statement("note_repeated"),
            request_id=event.request_id,
            user_id=event.user_id,
            source_ip=event.source_ip,
            increment=event.increment,
            epoch=event.number.epoch,
            sequence=event.number.sequence,
            first_epoch=first.epoch,
            first_sequence=first.sequence,
            accepted_at=int(event.accepted_at.timestamp() * 1000),
        )
    metrics.updates_repeated.of("true" if counts else "false").inc()
    told = {"update": event.request_id, "user_id": event.user_id, "number": event.number, "first": first, "counts": counts}
    _log.warning("an update was accepted twice", extra=told)
    return counts


def _number(epoch: int | None, sequence: int | None) -> Number | None:
    return None if epoch is None or sequence is None else Number(epoch, sequence)
