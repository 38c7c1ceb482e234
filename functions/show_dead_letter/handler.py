"""GET /api/admin/dead-letters/{id}: one dead letter with its content and its history."""

from __future__ import annotations

from shared.audit.note_refusal import audited
from shared.container import container
from shared.ledger.read_dead_letters import parse_name, show_dead_letter
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
@audited("dead_letters_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """For admins."""
    deps = container()
    deps.authenticate(request.bearer_token).must_be_admin()
    return Reply.ok(show_dead_letter(parse_name(request.path_parameters["id"]), deps.letters, deps.users))
