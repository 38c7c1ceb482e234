"""Functions for admins: nobody else comes as far as the function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps

from shared.accounts.manage_server_keys import check_server_key
from shared.accounts.server_key import BEGINNING
from shared.audit.note_refusal import audited
from shared.container import container
from shared.stores.actor import Actor
from shared.transport.http import Handler, HttpRequest, Reply, http_handler

AdminFunction = Callable[[HttpRequest, Actor], Reply]


def admin_handler(refused: str, *, query: Sequence[str] = (), scope: str = "") -> Callable[[AdminFunction], Handler]:
    """Make a Lambda handler of a function that is given the request and the admin who sent it.

    Whoever is none is answered 403, and noted in the audit log under the action `refused`. `query` as http_handler's. With a
    `scope` games' servers may come, too: with a key that has it, and is good for the board that the path names.
    """

    def decorate(function: AdminFunction) -> Handler:
        @http_handler(query=query)
        @audited(refused, container)
        @wraps(function)
        def handler(request: HttpRequest) -> Reply:
            return function(request, Actor(_name(request, scope), request.source_ip, request.request_id))

        return handler

    return decorate


def _name(request: HttpRequest, scope: str) -> str:
    token = request.bearer_token
    if scope and token.startswith(BEGINNING):
        return check_server_key(token, request.path_parameters["board"], scope, container()).actor
    caller = container().authenticate(token)
    caller.must_be_admin()
    return caller.user_id
