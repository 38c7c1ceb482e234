"""Measure what exists once: the queues, the outbox, the last runs, what answers at all and what can be done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from shared.core import metrics
from shared.core.ask_at_once import ask_at_once
from shared.core.clock import Clock
from shared.core.errors import Unavailable
from shared.ledger.balance import Balance
from shared.ledger.dead_letter import STANDING
from shared.ledger.ports import QueueGauge, QueueState
from shared.operations.overview import BoardState, LedgerState
from shared.operations.readiness import CAPABILITIES, Report
from shared.reconciliation.model import PastRun

if TYPE_CHECKING:
    from shared.operations.postgresql import LedgerGauge
    from shared.operations.redis import BoardGauge, QueueWatch
    from shared.reconciliation.postgresql import Reconciliations


PATIENCE_SECONDS = 3.0
NEWEST_UPDATES = 200
MAX_OUTBOX = 10_000  # a longer one says by itself that the ledger is behind, and would take long to read


@dataclass(frozen=True, slots=True)
class Gauges:
    """Whom to ask."""

    board: BoardGauge
    queues: QueueGauge
    ledger: LedgerGauge
    reconciliations: Reconciliations
    watch: QueueWatch
    clock: Clock
    books: Callable[[], Balance | None]
    further: Mapping[str, ShardGauges] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShardGauges:
    """Of a further shard."""

    board: BoardGauge
    books: Callable[[], Balance | None]


@dataclass(frozen=True, slots=True)
class _Recorded:
    state: LedgerState
    newest_updates: Sequence[tuple[str, datetime]]
    newest_run: PastRun | None


def measure_stores(gauges: Gauges, report: Report) -> dict[str, bool]:
    """Answer which stores answer: `redis` is that of the first shard, `redis (name)` that of another one. What a store that is
    down would have told has no value until it is back. Of all shards that answer the entries that wait are added up.

    `report` is what this instance can do.
    """

    def recorded() -> _Recorded:
        runs = gauges.reconciliations.newest(1, None)
        return _Recorded(gauges.ledger.read(), gauges.ledger.newest_updates(NEWEST_UPDATES), runs[0] if runs else None)

    asked: dict[str, Callable[[], BoardState | QueueState | _Recorded]] = {
        "redis": gauges.board.read,
        "rabbitmq": gauges.queues.read,
        "postgresql": recorded,
    }
    asked |= {redis_of(name): shard.board.read for name, shard in gauges.further.items()}
    answers = ask_at_once(asked, PATIENCE_SECONDS)
    for family in metrics.MEASURED:
        family.clear()
    for name in CAPABILITIES:
        metrics.capability.of(name).set(name not in report.problems)
    up = {name: not isinstance(answer, BaseException) for name, answer in answers.items()}
    for name, answer in answers.items():
        if isinstance(answer, BaseException) and not isinstance(answer, Unavailable | TimeoutError):
            raise answer
        metrics.dependency_up.of(name).set(up[name])
    queues, ledger = answers["rabbitmq"], answers["postgresql"]
    _show_outboxes(answers, gauges)
    if isinstance(ledger, _Recorded):
        _show_last_runs(ledger)
        for state in STANDING:
            metrics.dead_letters.of(state).set(ledger.state.letters.get(state, 0))
    if isinstance(queues, QueueState):
        _show_queues(queues, up["redis"], ledger.newest_updates if isinstance(ledger, _Recorded) else (), gauges)
    return up


def redis_of(shard: str) -> str:
    """What the Redis of a further shard is called among the stores."""
    return f"redis ({shard})"


def _show_outboxes(answers: Mapping[str, object], gauges: Gauges) -> None:
    books = {"redis": gauges.books} | {redis_of(name): shard.books for name, shard in gauges.further.items()}
    boards = {name: answer for name in books if isinstance(answer := answers[name], BoardState)}
    for name in gauges.further:
        if (board := boards.get(redis_of(name))) is not None:
            metrics.shard_outbox_entries.of(name).set(board.outbox)
            metrics.shard_outbox_oldest_age_seconds.of(name).set(board.outbox_seconds)
    if not boards:
        return
    metrics.outbox_entries.of().set(sum(board.outbox for board in boards.values()))
    metrics.outbox_oldest_age_seconds.of().set(max(board.outbox_seconds for board in boards.values()))
    _show_balance([books[name] for name, board in boards.items() if board.outbox <= MAX_OUTBOX])


def _show_balance(books: Sequence[Callable[[], Balance | None]]) -> None:
    in_flight = None
    for balanced in books:
        try:
            balance = balanced()
        except Unavailable:
            continue
        if balance is not None:
            in_flight = (in_flight or 0) + balance.updates_in_flight
    if in_flight is not None:
        metrics.updates_in_flight.of().set(in_flight)


def _show_last_runs(ledger: _Recorded) -> None:
    if ledger.state.sealed_at is not None:
        metrics.audit_last_seal.of().set(ledger.state.sealed_at.timestamp())
    if ledger.newest_run is not None:
        metrics.reconciliation_last_success.of().set(ledger.newest_run.finished_at.timestamp())


def _show_queues(queues: QueueState, knows_since: bool, newest_updates: Sequence[tuple[str, datetime]], gauges: Gauges) -> None:
    for queue, count in queues.messages.items():
        metrics.queue_messages.of(queue).set(count)
        metrics.queue_consumers.of(queue).set(queues.consumers[queue])
    if not knows_since:
        return
    now = gauges.clock.now()
    since = gauges.watch.waiting_since(queues.messages, now)
    # Of a queue that is never seen empty under load: nothing in it was accepted before what came out of it.
    for user_id, accepted_at in newest_updates:
        queue = gauges.queues.queue_of(user_id)
        if queue in since:
            since[queue] = max(since[queue], accepted_at)
    for queue in queues.messages:
        age = (now - since[queue]).total_seconds() if queue in since else 0.0
        metrics.queue_oldest_age_seconds.of(queue).set(max(0.0, age))
