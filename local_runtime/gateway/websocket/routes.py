"""Invokes the functions of a WebSocket API for the connections, with events as API Gateway makes them."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Mapping

from gevent.lock import BoundedSemaphore

from local_runtime.gateway.websocket.connection import Connection, QueueFull
from local_runtime.gateway.websocket.selection import route_selector
from local_runtime.hosting.events.http import HttpAnswer
from local_runtime.hosting.events.identity import ApiIdentity
from local_runtime.hosting.events.websocket import Peer, connect_event, disconnect_event, message_event, new_id, websocket_answer
from local_runtime.hosting.invoker import FunctionError, FunctionTimedOut, Invoker, PayloadTooLarge
from local_runtime.hosting.manifest import Function, WebSocketApi

logger = logging.getLogger(__name__)


class WebSocketRoutes:
    """`$connect`, `$disconnect` and the messages' routes; at most `concurrency` of the latter two run at once."""

    def __init__(self, api: WebSocketApi, invoker: Invoker, concurrency: int) -> None:
        self._invoker = invoker
        self._identity = ApiIdentity(stage=api.stage)
        self._functions: dict[str, Function] = {route.route_key: route.function for route in api.routes}
        self._select = route_selector(api.route_selection_expression)
        self._running = BoundedSemaphore(concurrency)

    def connect(self, peer: Peer, headers: Mapping[str, str], query_string: str, request_id: str) -> HttpAnswer:
        """Ask `$connect`; without one everybody is welcome."""
        function = self._functions.get("$connect")
        if function is None:
            return HttpAnswer(200, (), b"")
        event = connect_event(peer, headers, query_string, self._identity, request_id, time.time())
        try:
            return websocket_answer(self._invoker.invoke(function, event, request_id, trigger="websocket"))
        except FunctionTimedOut as error:
            logger.error("%s $connect: %s", request_id, error)  # noqa: TRY400 - the traceback would be ours
            return HttpAnswer(504, (), b"")
        except (FunctionError, PayloadTooLarge) as error:
            logger.exception("%s $connect: function %s failed", request_id, function.name, exc_info=error.__cause__ or error)
            return HttpAnswer(500, (), b"")

    def message(self, connection: Connection, body: str, authorizer: Mapping[str, str]) -> HttpAnswer | None:
        """Hand a message to its route; returns what the function answered. None for a failure, which the peer was told."""
        route_key = self._select(body)
        function = self._functions.get(route_key)
        if function is None:
            route_key, function = "$default", self._functions.get("$default")
        request_id = new_id()
        if function is None:
            _tell(connection, "Forbidden", request_id)
            return None
        event = message_event(connection.peer, route_key, body, self._identity, request_id, time.time(), authorizer)
        try:
            return websocket_answer(self._invoke(function, event, request_id, route_key))
        except FunctionTimedOut:
            _tell(connection, "Endpoint request timed out", request_id)
        except (FunctionError, PayloadTooLarge):
            _tell(connection, "Internal server error", request_id)
        return None

    def disconnect(self, peer: Peer, code: int, reason: str) -> None:
        """Tell `$disconnect` that a connection has ended."""
        function = self._functions.get("$disconnect")
        if function is not None:
            request_id = new_id()
            event = disconnect_event(peer, code, reason, self._identity, request_id, time.time())
            with contextlib.suppress(FunctionTimedOut, FunctionError, PayloadTooLarge):
                self._invoke(function, event, request_id, "$disconnect")

    def _invoke(self, function: Function, event: object, request_id: str, route_key: str) -> object:
        with self._running:
            try:
                return self._invoker.invoke(function, event, request_id, trigger="websocket")
            except (FunctionTimedOut, FunctionError, PayloadTooLarge) as error:
                cause = error.__cause__ or error
                logger.exception("%s %s: function %s failed", request_id, route_key, function.name, exc_info=cause)
                raise


def _tell(connection: Connection, message: str, request_id: str) -> None:
    """What API Gateway sends when a route fails."""
    text = {"message": message, "connectionId": connection.peer.connection_id, "requestId": request_id}
    if connection.is_open:
        with contextlib.suppress(QueueFull):
            connection.post_text(json.dumps(text).encode())
