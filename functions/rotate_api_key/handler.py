"""POST /api/users/{user_id}/api-key: get another API key."""

from __future__ import annotations

from shared.domain.audit import Actor
from shared.services.note_refusal import audited
from shared.services.rotate_api_key import rotate_api_key
from shared.transport.http import HttpRequest, Reply, http_handler
from shared.wiring import container


@http_handler
@audited("api_key_rotation_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Answer 201 with the key, which is shown this once; the old one is dead."""
    deps = container()
    caller = deps.authenticate(request.bearer_token)
    actor = Actor(caller.user_id, request.source_ip, request.request_id)
    api_key = rotate_api_key(request.path_parameters["user_id"], caller, actor, deps.request_limits, deps.account_changes, deps)
    return Reply.created({"apiKey": api_key}, headers={"Cache-Control": "no-store"})
