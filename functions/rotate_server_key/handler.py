"""POST /api/admin/server-keys/{key_id}/secret: another secret for a server key."""

from __future__ import annotations

from shared.accounts.manage_server_keys import rotate_server_key, spread_server_key
from shared.container import container
from shared.container.admin import admin_handler
from shared.stores.actor import Actor
from shared.stores.answer_once import answer_once, keyed
from shared.transport.http import HttpRequest, Reply


@admin_handler("server_key_change_refused")
def lambda_handler(request: HttpRequest, admin: Actor) -> Reply:
    """Answer 201 with the key, which is shown this once; the one before is refused from now on."""
    deps = container()
    key_id = request.path_parameters["key_id"]
    answer = answer_once(
        keyed(request, admin.name),
        deps,
        lambda attempt: rotate_server_key(key_id, admin, deps, attempt),
        complete=lambda _: spread_server_key(key_id, deps),
    )
    return Reply.created(answer.data, headers={"Cache-Control": "no-store", **answer.headers})
