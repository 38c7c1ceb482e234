"""Every minute, and whenever metrics are read: measure what exists once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from shared.container import container
from shared.operations.measure_stores import Gauges, ShardGauges, measure_stores
from shared.reconciliation.balance_books import balance_books
from shared.transport.schedule import schedule_handler


@schedule_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """Answer which stores answer: `{"redis": true, …}`."""
    deps = container()
    parts = (deps.board_gauge, deps.queue_gauge, deps.ledger_gauge, deps.reconciliations, deps.queue_watch, deps.clock)
    books = partial(balance_books, deps.leaderboard, deps.ledger, deps.outbox)
    further = {
        shard.name: ShardGauges(shard.board_gauge, partial(balance_books, shard.leaderboard, shard.ledger, shard.outbox))
        for shard in deps.further_shards
    }
    return {**measure_stores(Gauges(*parts, books, further), deps.readiness.latest())}
