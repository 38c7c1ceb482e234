"""GET /api/admin/dead-letters: updates that could not be recorded, and why."""

from __future__ import annotations

from shared.container import container
from shared.container.admin import admin_handler
from shared.ledger.read_dead_letters import DEFAULT_LIMIT, MAX_LIMIT, list_dead_letters
from shared.stores.actor import Actor
from shared.transport.http import HttpRequest, Reply


@admin_handler(
    "dead_letters_refused",
    query=(
        "limit",
        "cursor",
        "state",
    ),
)
def lambda_handler(request: HttpRequest, admin: Actor) -> Reply:
    """They stay where they are."""
    deps = container()
    limit = request.integer("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    cursor, state = request.query.get("cursor", ""), request.query.get("state", "")
    return Reply.document(list_dead_letters(limit, cursor, state, deps.letters, deps.users))
