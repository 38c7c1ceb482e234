"""Lambda authorizer of the AppSync Events API: viewers show a ticket of POST /api/ws-tickets."""

from __future__ import annotations

from shared.container import container
from shared.transport.appsync import AuthorizationRequest, authorizer_handler
from shared.viewers.connect_viewer import authorize_viewer


@authorizer_handler
def lambda_handler(asked: AuthorizationRequest) -> None:
    """Once to connect, once to subscribe to the live channel."""
    deps = container()
    authorize_viewer(
        asked.operation,
        asked.channel,
        asked.token,
        deps.settings.appsync_events_channel,
        deps.ws_tickets,
        deps,
        deps.clock,
        is_public=deps.settings.public_leaderboard,
    )
