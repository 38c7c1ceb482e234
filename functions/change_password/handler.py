"""PUT /api/users/{user_id}/password: choose another password."""

from __future__ import annotations

from shared.accounts.change_account import ChangePassword, change_password, has_new_password
from shared.accounts.take_effect import take_effect_again
from shared.audit.note_refusal import audited
from shared.container import container
from shared.stores.actor import Actor
from shared.stores.answer_once import answer_once, keyed
from shared.transport.http import HttpRequest, Reply, http_handler


@http_handler
@audited("password_change_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Answer 204; the session it is changed from goes on, all others of the account have ended."""
    deps = container()
    caller = deps.authenticate(request.bearer_token)
    actor = Actor(caller.user_id, request.source_ip, request.request_id)
    command = ChangePassword.parse(request.path_parameters["user_id"], request.json_object(), caller, actor)
    answer = answer_once(
        keyed(request, caller.user_id),
        deps,
        lambda attempt: change_password(command, deps.common_passwords, deps, deps.account_changes, deps, attempt),
        proves_password=lambda: has_new_password(command, deps, deps),
        complete=lambda _: take_effect_again(caller.user_id, deps),
    )
    return Reply.no_content(answer.headers)
