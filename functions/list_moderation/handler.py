"""GET /api/admin/boards/{board}/moderation: what moderators decided."""

from __future__ import annotations

from shared.accounts.player import checked_user_id
from shared.boards.moderate_players import DEFAULT_LIMIT, MAX_LIMIT, list_moderation
from shared.container import container
from shared.container.admin import admin_handler
from shared.stores.actor import Actor
from shared.transport.http import HttpRequest, Reply


@admin_handler("moderation_list_refused", query=("userId", "limit", "cursor"), scope="moderate")
def lambda_handler(request: HttpRequest, _moderator: Actor) -> Reply:
    """Newest first, page by page."""
    limit = request.integer("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    user_id, cursor = request.query.get("userId", ""), request.query.get("cursor", "")
    if user_id:
        user_id = checked_user_id(user_id)
    return Reply.document(list_moderation(request.path_parameters["board"], user_id, cursor, limit, container()))
