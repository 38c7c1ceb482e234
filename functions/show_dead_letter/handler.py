"""GET /api/admin/dead-letters/{id}: one dead letter with its content and its history."""

from __future__ import annotations

from shared.container import container
from shared.container.admin import admin_handler
from shared.ledger.read_dead_letters import parse_name, show_dead_letter
from shared.stores.actor import Actor
from shared.transport.http import HttpRequest, Reply


@admin_handler("dead_letters_refused")
def lambda_handler(request: HttpRequest, admin: Actor) -> Reply:
    """For admins."""
    deps = container()
    return Reply.ok(show_dead_letter(parse_name(request.path_parameters["id"]), deps.letters, deps.users))
