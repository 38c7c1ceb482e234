"""Functions for admins: nobody else comes as far as the function."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from shared.audit.note_refusal import audited
from shared.container import container
from shared.stores.actor import Actor
from shared.transport.http import Handler, HttpRequest, Reply, http_handler

AdminFunction = Callable[[HttpRequest, Actor], Reply]


def admin_handler(refused: str) -> Callable[[AdminFunction], Handler]:
    """Make a Lambda handler of a function that is given the request and the admin who sent it.

    Whoever is none is answered 403, and noted in the audit log under the action `refused`.
    """

    def decorate(function: AdminFunction) -> Handler:
        @http_handler
        @audited(refused, container)
        @wraps(function)
        def handler(request: HttpRequest) -> Reply:
            caller = container().authenticate(request.bearer_token)
            caller.must_be_admin()
            return function(request, Actor(caller.user_id, request.source_ip, request.request_id))

        return handler

    return decorate
