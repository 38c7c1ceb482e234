"""POST /api/admin/boards/{board}/moderation: hide players and show them again, correct their scores, or undo any of it."""

from __future__ import annotations

from shared.container import container
from shared.container.admin import admin_handler
from shared.reconciliation.moderate import moderate, moderate_again, parse_moderation
from shared.stores.actor import Actor
from shared.stores.answer_once import answer_once, keyed
from shared.transport.http import HttpRequest, Reply


@admin_handler("moderation_refused", scope="moderate")
def lambda_handler(request: HttpRequest, moderator: Actor) -> Reply:
    """`{"action", "reason"}` with `userId`, or `players` and perhaps `preview`, or the `entryId` that an `undo` is of; with
    `userId` and `requestId` for a `strike`, or `userId` and `value` for an `adjust`.
    """
    deps = container()
    body = request.json_object()
    command = parse_moderation(request.path_parameters["board"], body, deps)
    answer = answer_once(
        keyed(request, moderator.name, body),
        deps,
        lambda attempt: moderate(command, moderator, deps, attempt),
        complete=lambda first: moderate_again(command, first, deps),
    )
    return Reply.ok(answer.data, headers=answer.headers)
