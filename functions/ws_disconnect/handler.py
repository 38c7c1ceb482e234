"""$disconnect: forget a viewer."""

from __future__ import annotations

from shared.container import container
from shared.transport.websocket import WebSocketRequest, websocket_handler


@websocket_handler
def lambda_handler(request: WebSocketRequest) -> dict[str, str]:
    """Best effort: a connection that nobody took leave of is swept when posting to it fails."""
    container().viewers.farewell(request.connection_id)
    return {}
