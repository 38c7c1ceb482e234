"""$default: viewers subscribe to boards; whatever else they send is received and not answered."""

from __future__ import annotations

from shared.container import container
from shared.transport.websocket import WebSocketReply, WebSocketRequest, answers, websocket_handler
from shared.viewers.subscribe_viewer import Subscribe, Watcher, subscribe_viewer, unsubscribe_viewer


@websocket_handler
@answers(("subscribe", "unsubscribe"), lambda: container().reply_gateway)
def lambda_handler(request: WebSocketRequest) -> WebSocketReply:
    """`{"type": "subscribe", "id", "board", "period"?, "view": {"top": n}}` is answered with the board as it is, and every change
    follows; `{"type": "unsubscribe", "id"}` ends that. A client may send a message of its own to keep the connection from idling
    out.
    """
    message, watcher = request.bounded_message, Watcher(request.has_token, request.subscriptions)
    if message["type"] == "unsubscribe":
        message_id, told = unsubscribe_viewer(message, watcher)
        return WebSocketReply(told, unsubscribe=message_id)
    deps, command = container(), Subscribe.parse(message)
    view, frame = deps.shards.at(
        command.board_id, lambda shard: subscribe_viewer(command, watcher, shard.board_reading, deps.board_views)
    )
    return WebSocketReply(frame, subscribe=(command.message_id, view.name))
