"""Run at every start, before anything serves: schema, queues, a board that agrees with the ledger, changed accounts, limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from shared.accounts.check_access import restore_sessions
from shared.container import container
from shared.operations.hold_leases import join_instances
from shared.operations.prepare_stores import prepare_stores
from shared.transport.direct import direct_handler


@direct_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """Answer `{"installation", "migrations": [...], "queues": [...], "players": n}`.

    With `{"givesUp": true}` the keys are fewer than before, and a refusal says how long the others are needed.
    """
    deps = container()
    own = replace(deps.ownership, gives_up=event.get("givesUp") is True)
    join = partial(join_instances, deps.leases, deps.instance, deps.migrations)
    further = [shard.reconciliation for shard in deps.further_shards]
    summary = prepare_stores(own, join, deps.migrations, deps.topology, deps.reconciliation, further)
    restore_sessions(deps)
    deps.request_limits.begin()
    return summary
