"""GET /api/admin/users: find accounts."""

from __future__ import annotations

from shared.accounts.find_users import DEFAULT_LIMIT, MAX_LIMIT, find_users
from shared.audit.note_refusal import audited
from shared.container import container
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
@audited("user_search_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """For admins."""
    deps = container()
    deps.authenticate(request.bearer_token).must_be_admin()
    limit = request.integer("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    return Reply.document(find_users(request.query, limit, deps.users))
