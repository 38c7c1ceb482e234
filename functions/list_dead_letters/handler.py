"""GET /api/admin/dead-letters: updates that could not be recorded, and why."""

from __future__ import annotations

from shared.audit.note_refusal import audited
from shared.container import container
from shared.ledger.read_dead_letters import DEFAULT_LIMIT, MAX_LIMIT, list_dead_letters
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
@audited("dead_letters_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """For admins; they stay where they are."""
    deps = container()
    deps.authenticate(request.bearer_token).must_be_admin()
    limit = request.integer("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    cursor, state = request.query.get("cursor", ""), request.query.get("state", "")
    return Reply.document(list_dead_letters(limit, cursor, state, deps.letters, deps.users))
