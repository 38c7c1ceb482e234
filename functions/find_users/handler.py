"""GET /api/admin/users: find an account by its name."""

from __future__ import annotations

from shared.domain.player import checked_username
from shared.services.note_refusal import audited
from shared.transport.http import HttpRequest, Reply, http_handler
from shared.wiring import container


@http_handler
@audited("user_search_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """For admins; a list of one account, or of none."""
    deps = container()
    deps.authenticate(request.bearer_token).must_be_admin()
    account = deps.users.by_username(checked_username(request.query.get("username")))
    return Reply.ok([account.as_json()] if account else [])
