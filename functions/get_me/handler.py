"""GET /api/me: the caller's own account."""

from __future__ import annotations

from shared.accounts.get_me import get_me
from shared.audit.note_refusal import audited
from shared.container import container
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
@audited("account_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Any valid token will do."""
    deps = container()
    return Reply.ok(get_me(deps.authenticate(request.bearer_token), deps.users))
