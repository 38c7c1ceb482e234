"""POST /api/ws-tickets: a ticket for one WebSocket handshake."""

from __future__ import annotations

import random

from shared.audit.note_refusal import audited
from shared.container import container
from shared.transport.http import HttpRequest, Reply, http_handler
from shared.viewers.issue_ws_ticket import WatchingPlace, issue_anonymous_ws_ticket, issue_ws_ticket


@http_handler
@audited("ws_ticket_refused", container)
def lambda_handler(request: HttpRequest) -> Reply:
    """Answer 201 with the ticket, how long it is good, and how to keep the connection that it opens."""
    deps = container()
    settings = deps.settings
    place = WatchingPlace(settings.viewers_url, settings.appsync_events_channel if settings.appsync_events_url else "")
    spread = random.random()  # noqa: S311 - spreads load, keeps no secret
    common = deps.request_limits, deps.ws_tickets, place, deps.clock, spread
    if "authorization" not in request.headers and deps.is_anything_public():
        hears = settings.public_leaderboard
        return Reply.created(issue_anonymous_ws_ticket(request.source_ip, *common, hears_broadcast=hears).as_json())
    return Reply.created(issue_ws_ticket(deps.authenticate(request.bearer_token), *common).as_json())
