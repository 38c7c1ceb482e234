"""GET /api/admin/overview: how things stand."""

from __future__ import annotations

from shared.container import container
from shared.container.admin import admin_handler
from shared.operations.get_overview import get_overview
from shared.stores.actor import Actor
from shared.transport.http import HttpRequest, Reply


@admin_handler("overview_refused")
def lambda_handler(request: HttpRequest, admin: Actor) -> Reply:
    """Totals, from whose differences rates are made."""
    deps = container()
    further = [shard.board_gauge for shard in deps.further_shards]
    return Reply.ok(get_overview(deps.board_gauge, deps.queue_gauge, deps.ledger_gauge, deps.clock, further))
