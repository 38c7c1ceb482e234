"""DELETE /api/tokens: end the session of the access token, or all of the account's."""

from __future__ import annotations

from shared.accounts.end_sessions import log_out
from shared.accounts.take_effect import end_access
from shared.audit.note_refusal import audited
from shared.container import container
from shared.stores.actor import Actor
from shared.stores.answer_once import answer_once, keyed
from shared.stores.idempotency import Attempt
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler(query=("everywhere",))
@audited("log_out_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Answer 204; from then on neither access nor refresh tokens of it are accepted."""
    deps = container()
    user_id = deps.identify(request.bearer_token).user_id  # of a session that the first try may have ended
    actor = Actor(user_id, request.source_ip, request.request_id)
    everywhere = request.flag("everywhere")

    def carry_out(attempt: Attempt) -> None:
        caller = deps.authenticate(request.bearer_token)
        log_out(caller, actor, deps.request_limits, deps, everywhere=everywhere, attempt=attempt)

    answer = answer_once(
        keyed(request, user_id), deps, carry_out, complete=lambda _: end_access(deps.sessions.ended_of(user_id), deps)
    )
    return Reply.no_content(answer.headers)
