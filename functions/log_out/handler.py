"""DELETE /api/tokens: end the session of the access token, or all of the account's."""

from __future__ import annotations

from shared.domain.audit import Actor
from shared.services.log_out import log_out
from shared.services.note_refusal import audited
from shared.transport.http import HttpRequest, Reply, http_handler
from shared.wiring import container


@http_handler
@audited("log_out_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Answer 204; from then on neither access nor refresh tokens of it are accepted."""
    deps = container()
    caller = deps.authenticate(request.bearer_token)
    actor = Actor(caller.user_id, request.source_ip, request.request_id)
    log_out(caller, actor, deps.request_limits, deps, everywhere=request.flag("everywhere"))
    return Reply.no_content()
