"""$connect: admit a viewer who shows an access token (`Authorization: Bearer`) or, from a browser, `?ticket=`."""

from __future__ import annotations

from shared.accounts.player import Caller
from shared.audit.note_refusal import audited
from shared.container import Container, container
from shared.transport.origin import check_origin
from shared.transport.websocket import WebSocketRequest, websocket_handler
from shared.viewers.connect_viewer import check_viewer, connect_viewer


@websocket_handler
@audited("viewer_refused", container)
def lambda_handler(request: WebSocketRequest) -> dict[str, str]:
    """Tell a gateway that can close connections when this one's session ends, and what names those that end before that."""
    deps = container()
    check_origin(request.headers, deps.settings.cors_allowed_origins)
    caller = _caller(request, deps)
    hears = not caller.is_anonymous or deps.settings.public_leaderboard
    ends_at = connect_viewer(caller, request.connection_id, deps.viewers, deps.publisher, deps.clock, hears_broadcast=hears)
    told = {"X-Session-Expires-At": str(ends_at), "X-Session-Labels": f"{caller.user_id} {caller.session_id}".strip()}
    return told if hears else {**told, "X-Session-Broadcast": "no"}


def _caller(request: WebSocketRequest, deps: Container) -> Caller:
    if "authorization" not in request.headers and "ticket" in request.query:
        caller = deps.ws_tickets.spend(request.query["ticket"])
        return check_viewer(caller, deps, is_public=caller.is_anonymous and deps.is_anything_public())
    return deps.authenticate(request.bearer_token)
