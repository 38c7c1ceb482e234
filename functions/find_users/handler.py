"""GET /api/admin/users: find accounts."""

from __future__ import annotations

from shared.accounts.find_users import DEFAULT_LIMIT, MAX_LIMIT, find_users
from shared.container import container
from shared.container.admin import admin_handler
from shared.stores.actor import Actor
from shared.transport.http import HttpRequest, Reply


@admin_handler(
    "user_search_refused",
    query=(
        "username",
        "userId",
        "search",
        "limit",
        "cursor",
    ),
)
def lambda_handler(request: HttpRequest, admin: Actor) -> Reply:
    """For admins."""
    deps = container()
    limit = request.integer("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    return Reply.document(find_users(request.query, limit, deps.users))
