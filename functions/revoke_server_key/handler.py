"""DELETE /api/admin/server-keys/{key_id}: refuse a server key from now on."""

from __future__ import annotations

from shared.accounts.manage_server_keys import revoke_server_key
from shared.container import container
from shared.container.admin import admin_handler
from shared.stores.actor import Actor
from shared.transport.http import HttpRequest, Reply


@admin_handler("server_key_change_refused")
def lambda_handler(request: HttpRequest, admin: Actor) -> Reply:
    """Answer 204; once more does no harm."""
    revoke_server_key(request.path_parameters["key_id"], admin, container())
    return Reply.no_content()
