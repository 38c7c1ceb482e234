"""For operators: whether every accepted update is accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.container import container
from shared.reconciliation.balance_books import all_as_json, balance_books
from shared.transport.direct import direct_handler


@direct_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `{"number": {"epoch", "sequence"} or null, "outbox": n, "inFlight": n, "gaps": [{"epoch", "first", "last"}],
    "lost": n}`, with several shards `"shards"` with the same of each.
    """
    shards = container().everywhere
    return all_as_json({shard.name: balance_books(shard.leaderboard, shard.ledger, shard.outbox) for shard in shards})
