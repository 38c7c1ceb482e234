"""$default: viewers only listen; what they send is received and not answered."""

from __future__ import annotations

from shared.transport.websocket import WebSocketRequest, websocket_handler


@websocket_handler
def lambda_handler(request: WebSocketRequest) -> dict[str, str]:
    """Accept anything, so that a client may send a message of its own to keep the connection from idling out."""
    return {}
