"""Write a batch of accepted updates into the ledger, settle what cannot be written, and tell the broadcast."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from shared.core import metrics
from shared.core.clock import Clock
from shared.core.errors import BadMessage, NewerMessage, RabbitUnavailable, RedisUnavailable
from shared.core.invocation import note, note_updates
from shared.core.logs import get_logger
from shared.ledger.events import ReceivedMessage, RecordedBatch, RefusedMessage, ScoreAccepted, ScoresRecorded
from shared.ledger.ports import EventPublisher

if TYPE_CHECKING:
    from shared.ledger.messages import EventCodec
    from shared.ledger.postgresql import Ledger
    from shared.ledger.redis import Outbox
    from shared.ledger.topology_rabbitmq import Topology


_log = get_logger(__name__)


def record_scores(
    messages: Sequence[ReceivedMessage],
    codec: EventCodec,
    ledger: Ledger,
    topology: Topology,
    publisher: EventPublisher,
    outboxes: Mapping[str, Outbox],
    clock: Clock,
    see_that_keys_fit: Callable[[], object] = lambda: None,
    leave_to_newer: Callable[[], object] = lambda: None,
    suspect: Callable[[str, Iterable[str]], object] = lambda shard, user_ids: None,
) -> int:
    """Answer how many updates were new. Returning settles the whole batch. `outboxes` are those of the shards, by name.

    A message that can never be read (it does not decrypt, has the wrong shape) is parked at once among the dead letters with its
    reason. An update that the ledger refuses for its own sake (an unknown user, a constraint) comes back up to MAX_RETRIES times
    with growing delay, then it is parked; one that was redriven is parked at once. Neither takes its batch down, and PostgreSQL
    has both whole before they are sent on. PostgresUnavailable escapes, and so does RabbitUnavailable while settling: the batch
    returns whole, nothing is counted against any message, and what the ledger has of it is ignored then. So does what
    `see_that_keys_fit` raises, which is called before anything is parked as unreadable, and `leave_to_newer`, which is called
    before a message is parked for a form that only a newer version reads.

    `suspect` is called with players of new updates when there were some that Redis does not know: another one, which was cut off
    or is gone, may have accepted them, and then their points are not on the board.
    """
    metrics.record_batch_size.observe(len(messages))
    batch = _open(messages, codec)
    if batch.has_newer:
        leave_to_newer()
    if batch.unreadable:
        see_that_keys_fit()
    note_updates(list(batch.updates))
    received = {request_id: message for request_id, (_, message) in batch.updates.items()}
    events = [event for event, _ in batch.updates.values()]
    recorded = ledger.record(events, batch.marker_ids, messages=received, unreadable=batch.unreadable)
    _measure_lag(batch, recorded, clock)
    note(new=recorded.new)
    _settle(recorded.letters, topology)
    if events:
        _settle_outboxes(events, recorded, outboxes, suspect)
        _tell(publisher, events)
    return recorded.new


@dataclass(slots=True)
class _Batch:
    """A batch, sorted: updates by request id with the message each came in, markers, and what cannot be read."""

    updates: dict[str, tuple[ScoreAccepted, ReceivedMessage]] = field(default_factory=dict)
    marker_ids: list[str] = field(default_factory=list)
    unreadable: list[RefusedMessage] = field(default_factory=list)
    has_newer: bool = False


def _open(messages: Sequence[ReceivedMessage], codec: EventCodec) -> _Batch:
    batch = _Batch()
    for message in messages:
        try:
            opened = codec.open_update(message.body)
        except BadMessage as error:
            batch.unreadable.append(message.refused(error.detail))
            batch.has_newer |= isinstance(error, NewerMessage)
            continue
        if isinstance(opened, str):
            batch.marker_ids.append(opened)
        else:
            batch.updates[opened.request_id] = (opened, message)
    return batch


def _measure_lag(batch: _Batch, recorded: RecordedBatch, clock: Clock) -> None:
    now, observe = clock.now(), metrics.record_lag_seconds.observe
    for request_id, (event, _) in batch.updates.items():
        if request_id not in recorded.refused:
            observe((now - event.accepted_at).total_seconds())


def _settle(letters: Sequence[RefusedMessage], topology: Topology) -> None:
    """After the ledger has committed: a message may come twice, but none is lost."""
    parked = [letter for letter in letters if letter.is_parked]
    retried = [letter for letter in letters if not letter.is_parked]
    note(retried=len(retried), parked=len(parked))
    for outcome, refused, send in (("retried", retried, topology.retry), ("parked", parked, topology.park)):
        if refused:
            send(refused)
            _tell_why(outcome, refused)
            metrics.messages_refused.of(outcome).inc(len(refused))


def _settle_outboxes(
    events: Sequence[ScoreAccepted],
    recorded: RecordedBatch,
    outboxes: Mapping[str, Outbox],
    suspect: Callable[[str, Iterable[str]], object],
) -> None:
    """The ledger has them, or has noted that it refused them. What stays in an outbox is published once more after a minute: by
    who is told of its shard, too, where this process is not.

    Which of them were not there is not asked: of those that came twice none is, and comparing a player too many costs little.
    """
    waiting: dict[str, list[ScoreAccepted]] = {}
    for event in events:
        if event.outbox_id and event.shard in outboxes:
            waiting.setdefault(event.shard, []).append(event)
    for shard, those in waiting.items():
        try:
            if outboxes[shard].settle([event.outbox_id for event in those]) < len(those):
                old = {*recorded.known, *recorded.refused}
                suspect(shard, {event.user_id for event in those if event.request_id not in old})
        except RedisUnavailable:
            _log.warning("recorded updates stay in the outbox", extra={"shard": shard, "updates": len(those)})


def _tell_why(outcome: str, refused: Sequence[RefusedMessage]) -> None:
    """One line for each reason; what cannot be read has no request id that could be believed."""
    for (reason, attempts), group in groupby(sorted(refused, key=_why), key=_why):
        messages = list(group)
        request_ids = [message.request_id for message in messages if message.request_id is not None]
        told = {"reason": reason, "attempts": attempts, "count": len(messages), "updates": request_ids}
        _log.error(f"updates {outcome}", extra=told)


def _why(message: RefusedMessage) -> tuple[str, int]:
    return message.reason, message.attempts


def _tell(publisher: EventPublisher, events: Sequence[ScoreAccepted]) -> None:
    """Viewers who miss this change see it with the next one; the ledger's work must not be done again for that."""
    first = min(event.accepted_at for event in events)
    request_ids, boards = tuple(event.request_id for event in events), {event.board_id for event in events}
    try:
        publisher.publish_recorded(
            ScoresRecorded(len(events), first, request_ids, tuple(sorted(boards)) if boards != {"main"} else ())
        )
    except RabbitUnavailable:
        _log.warning("the broadcast was not told of a batch", extra={"updates": len(events)})
