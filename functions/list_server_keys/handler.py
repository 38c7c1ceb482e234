"""GET /api/admin/server-keys: the keys of games' servers."""

from __future__ import annotations

from shared.container import container
from shared.container.admin import admin_handler
from shared.stores.actor import Actor
from shared.transport.http import HttpRequest, Reply


@admin_handler("server_key_list_refused")
def lambda_handler(request: HttpRequest, admin: Actor) -> Reply:
    """Answer 200 with all of them, newest first; what they were is not known here."""
    return Reply.ok([key.as_json() for key in container().server_keys.list()])
