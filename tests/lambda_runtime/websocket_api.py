"""A WebSocket API of API Gateway on loopback: functions for its routes, and the @connections API with its refusals."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from local_runtime.gateway.websocket.ids import ConnectionIds
from local_runtime.gateway.websocket.selection import route_selector
from local_runtime.gateway.websocket.signature import SignedRequest
from local_runtime.hosting.events.identity import ApiIdentity
from local_runtime.hosting.events.websocket import (
    NO_STATUS_REASON,
    Peer,
    connect_event,
    disconnect_event,
    message_event,
    new_id,
    websocket_answer,
)
from local_runtime.hosting.invoker import FunctionError, FunctionTimedOut, PayloadTooLarge
from local_runtime.hosting.manifest import Function, WebSocketApi
from tests.lambda_runtime.environment import ACCOUNT_ID
from tests.lambda_runtime.http_api import Invoke
from tests.support.aws import MAX_MESSAGE_BYTES, Connections

NO_STATUS = 1005
_FAILURES = (FunctionError, FunctionTimedOut, PayloadTooLarge)


class HeldConnections(Connections):
    """The @connections API of connections that there really are: what is posted to them arrives."""

    def __init__(self) -> None:
        super().__init__()
        self._sockets: dict[str, ServerConnection] = {}

    def hold(self, connection_id: str, socket: ServerConnection) -> None:
        """From now on it can be posted to."""
        self._sockets[connection_id] = socket
        self.connect(connection_id)

    def id_at(self, port: int) -> str:
        """The connection of the client that speaks from a port."""
        return next(connection_id for connection_id, socket in self._sockets.items() if socket.remote_address[1] == port)

    def let_go(self, connection_id: str) -> None:
        """It has ended."""
        self.open.discard(connection_id)
        del self._sockets[connection_id]

    def _take(self, request: SignedRequest, connection_id: str) -> int:
        status = super()._take(request, connection_id)
        try:
            if status == 204:
                self._sockets[connection_id].close()
            elif status == 200:
                self._sockets[connection_id].send(request.body.decode())
        except (KeyError, ConnectionClosed):
            return 410
        return status


class WebSockets:
    """The connections of one stage. Nobody can be posted to before `$connect` has answered, as in the cloud."""

    def __init__(self, api: WebSocketApi, invoke: Invoke, connections: HeldConnections) -> None:
        self.stage = api.stage
        self._functions: dict[str, Function] = {route.route_key: route.function for route in api.routes}
        self._select = route_selector(api.route_selection_expression)
        self._invoke = invoke
        self._identity = ApiIdentity(api.stage, "wsapi1", ACCOUNT_ID)
        self._connections = connections
        self._ids = ConnectionIds("api gateway", 1)
        self._joining: dict[ServerConnection, Peer] = {}

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """`$connect`: anything but 2xx refuses the handshake."""
        url = urlsplit(request.path)
        if url.path != f"/{self.stage}":
            return Response(403, "Forbidden", Headers())
        headers = dict(request.headers.raw_items())
        host, agent = request.headers["Host"], request.headers.get("User-Agent", "")
        peer = Peer(self._ids.new(), host, connection.remote_address[0], agent, time.time())
        event = connect_event(peer, headers, url.query, self._identity, new_id(), time.time())
        try:
            answer = websocket_answer(self._invoke(self._functions["$connect"], event))
        except _FAILURES:
            return Response(500, "Internal Server Error", Headers())
        if not 200 <= answer.status < 300:
            return Response(answer.status, "Refused", Headers())
        self._joining[connection] = peer
        return None

    def serve(self, connection: ServerConnection) -> None:
        """From the handshake to `$disconnect`."""
        peer = self._joining.pop(connection)
        self._connections.hold(peer.connection_id, connection)
        code, reason = NO_STATUS, NO_STATUS_REASON
        try:
            while True:
                self._hear(connection, peer, connection.recv())
        except ConnectionClosed as closed:
            if closed.rcvd is not None:
                code, reason = closed.rcvd.code, closed.rcvd.reason
        finally:
            self._connections.let_go(peer.connection_id)
            event = disconnect_event(peer, code, reason, self._identity, new_id(), time.time())
            with suppress(*_FAILURES):
                self._invoke(self._functions["$disconnect"], event)

    def _hear(self, connection: ServerConnection, peer: Peer, message: str | bytes) -> None:
        text = message if isinstance(message, str) else message.decode(errors="replace")
        route = self._select(text)
        function = self._functions.get(route) or self._functions["$default"]
        request_id = new_id()
        event = message_event(peer, route, text, self._identity, request_id, time.time())
        try:
            self._invoke(function, event)
        except _FAILURES:
            failure = {"message": "Internal server error", "connectionId": peer.connection_id, "requestId": request_id}
            connection.send(json.dumps(failure))


@contextmanager
def accepting(sockets: WebSockets) -> Iterator[str]:
    """The URL that clients connect to."""
    with serve(
        sockets.serve,
        "127.0.0.1",
        0,
        process_request=sockets.admit,
        max_size=MAX_MESSAGE_BYTES,
        ping_interval=None,
        compression=None,
        close_timeout=1,
        open_timeout=30,
    ) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/{sockets.stage}"
        finally:
            server.shutdown()
            thread.join()
