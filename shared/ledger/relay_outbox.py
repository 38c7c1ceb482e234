"""Publish what a crash, or a broker that was away, left in the outbox; safe to run twice and side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared.core import metrics
from shared.core.errors import LedgerBehind, RabbitUnavailable, RedisUnavailable
from shared.core.logs import get_logger
from shared.ledger.catch_up import Pipeline, catch_up
from shared.ledger.events import ScoreAccepted
from shared.ledger.ports import QueueGauge
from shared.stores.everywhere import everywhere

BATCH = 500
OLDER_THAN_SECONDS = 5.0
LOST_AFTER_SECONDS = 60.0
CATCH_UP_SECONDS = 20.0
_log = get_logger(__name__)


def relay_outboxes(pipelines: Sequence[Pipeline], queues: QueueGauge, most_entries: int) -> int:
    """Relay the outbox of every shard. What is left in a further one that is away is published when it is back.

    Raises RedisUnavailable when the first one is away, after the others.
    """
    published = 0

    def relay(pipeline: Pipeline) -> None:
        nonlocal published
        try:
            published += relay_outbox(pipeline, queues, most_entries)
        except RedisUnavailable:
            if pipeline is pipelines[0]:
                raise
            _log.warning("a shard is away; its events wait in the outbox", extra={"shard": pipeline.outbox.shard})

    everywhere(pipelines, relay)
    return published


def relay_outbox(
    pipeline: Pipeline, queues: QueueGauge, most_entries: int, older_than_seconds: float = OLDER_THAN_SECONDS
) -> int:
    """Returns the number of published events. Stops quietly when the broker is away: the next run goes on.

    Events younger than `older_than_seconds` may still be on their way. Those that a process has published wait for the ledger,
    however long it is away. An event that has waited for more than a minute, although the ledger has what was published after it,
    was lost by the broker and is published again. A second copy does no harm: the ledger ignores request ids it has.

    Beyond `most_entries` published ones the oldest are dropped from the outbox: then only the broker has them.
    """
    published = 0
    try:
        while waiting := _unpublished(pipeline, older_than_seconds):
            pipeline.publisher.publish_accepted(waiting, keep=False)
            pipeline.outbox.relayed(waiting[-1].outbox_id)
            published += len(waiting)
            _log.info("updates published from the outbox", extra={"updates": [event.request_id for event in waiting]})
        _keep_within(most_entries, pipeline)
        if pipeline.outbox.pending(LOST_AFTER_SECONDS, 1) and any(queues.read().consumers.values()):
            catch_up(replace(pipeline, catch_up_seconds=CATCH_UP_SECONDS))
    except RabbitUnavailable:
        _log.warning("the broker is away; events wait in the outbox")
    except LedgerBehind:
        _log.warning("the ledger is behind; events wait in the outbox")
    if published:
        _log.warning("events relayed from the outbox", extra={"published": published})
    return published


def _unpublished(pipeline: Pipeline, older_than_seconds: float) -> Sequence[ScoreAccepted]:
    """The next ones; empty at the end. Entries that their processes have published are passed over."""
    while (waiting := pipeline.outbox.unpublished(older_than_seconds, BATCH)).up_to is not None:
        if waiting.events:
            return waiting.events
        pipeline.outbox.relayed(waiting.up_to)
    return ()


def _keep_within(most_entries: int, pipeline: Pipeline) -> None:
    dropped = pipeline.outbox.trim(most_entries)
    if dropped:
        metrics.outbox_dropped.inc(dropped)
        _log.error("the outbox is full: only the broker has its oldest events", extra={"dropped": dropped})
