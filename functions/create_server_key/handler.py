"""POST /api/admin/server-keys: a key for a game's server."""

from __future__ import annotations

from shared.accounts.manage_server_keys import create_server_key
from shared.container import container
from shared.container.admin import admin_handler
from shared.stores.actor import Actor
from shared.stores.answer_once import answer_once, keyed
from shared.transport.http import HttpRequest, Reply


@admin_handler("server_key_change_refused")
def lambda_handler(request: HttpRequest, admin: Actor) -> Reply:
    """`{"name", "boards"?}`: answer 201 with the key, which is shown this once."""
    deps = container()
    body = request.json_object()
    answer = answer_once(keyed(request, admin.name, body), deps, lambda attempt: create_server_key(body, admin, deps, attempt))
    return Reply.created(answer.data, headers={"Cache-Control": "no-store", **answer.headers})
