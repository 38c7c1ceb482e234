"""Accepts WebSockets and looks after them until they end."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

import gevent

from local_runtime import metrics
from local_runtime.gateway.http.admission import Admission, NoPlace
from local_runtime.gateway.http.headers import completed
from local_runtime.gateway.http.problems import CONTENT_TYPE, problem_body, problem_headers, status_line
from local_runtime.gateway.http.proxies import TrustedProxies
from local_runtime.gateway.http.requests import REQUEST_ID, headers_of
from local_runtime.gateway.websocket.broadcast import Broadcast, version_of
from local_runtime.gateway.websocket.channel import open_channel
from local_runtime.gateway.websocket.connection import ABNORMAL, REASONS, Connection, QueueFull
from local_runtime.gateway.websocket.dismissals import Dismissals
from local_runtime.gateway.websocket.handshake import (
    HandshakeRefused,
    accept_headers,
    offered_subprotocols,
    switching_protocols,
    usual_spelling,
)
from local_runtime.gateway.websocket.ids import ConnectionIds
from local_runtime.gateway.websocket.limits import Limits
from local_runtime.gateway.websocket.routes import WebSocketRoutes
from local_runtime.gateway.websocket.views import Subscription, Views
from local_runtime.hosting.events.http import HttpAnswer
from local_runtime.hosting.events.websocket import Peer
from local_runtime.hosting.invoker import Invoker
from local_runtime.hosting.manifest import WebSocketApi

GOING_AWAY, POLICY = 1001, 1008
SESSION_EXPIRES_AT = "x-session-expires-at"
SESSION_LABELS = "x-session-labels"
SESSION_BROADCAST = "x-session-broadcast"
SUBSCRIBE, UNSUBSCRIBE, REPLY = "x-subscribe", "x-unsubscribe", "x-reply"
_REFUSAL_HEADERS = frozenset({"www-authenticate", "retry-after", "content-type"})

Hijack = Callable[[dict[str, Any]], tuple[Any, bytes]]


class WebSocketGateway:
    """The WebSockets of one worker process; a WSGI callable for the handshakes.

    Functions speak to it in headers. `$connect`: X-Session-Expires-At (epoch seconds), X-Session-Labels (by which it is
    dismissed), X-Session-Broadcast: no. The messages' routes: X-Reply when the body is the peer's, X-Subscribe (a key and the
    name of a view) and X-Unsubscribe (a key). They are told the first label and the keys in the event's authorizer.

    `hijack` takes the socket of a request from the server: the socket, and the bytes read beyond the request. `handled` is
    what the server wants returned then.
    """

    def __init__(
        self,
        api: WebSocketApi,
        invoker: Invoker,
        hijack: Hijack,
        handled: Any,
        *,
        ids: ConnectionIds,
        proxies: TrustedProxies | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._hijack = hijack
        self._handled = handled
        self._ids = ids
        self._proxies = proxies or TrustedProxies()
        self._limits = limits or Limits()
        self._routes = WebSocketRoutes(api, invoker, self._limits.concurrent_invocations)
        self._connections: dict[str, Connection] = {}
        self._hearers: dict[str, Connection] = {}
        self._admission: Admission[str] = Admission(
            self._limits.connections,
            self._limits.connections_per_address,
            self._connections.__contains__,
            displaces_own=False,
        )
        self._ending = 0
        self._stopping = False
        self._frames = self._bytes = 0
        self.stage = api.stage
        self.dismissals = Dismissals()
        self.broadcast = Broadcast(self._hearers.values, self._limits.broadcast_seconds)
        self.views = Views(self._limits.broadcast_seconds, self._ask_again)

    def start(self) -> None:
        """Start the greenlets that broadcast and look after the connections."""
        gevent.spawn(self.broadcast.run)
        gevent.spawn(self._tend)

    def stop(self) -> None:
        """Refuse new connections and close all there are with 1001; who does not answer that soon is dropped."""
        self._stopping = True
        for connection in list(self._connections.values()):
            connection.close(GOING_AWAY, "server going away")
        gevent.spawn_later(self._limits.stop_seconds, self._abort_all)

    def _abort_all(self) -> None:
        for connection in list(self._connections.values()):
            connection.abort()

    @property
    def is_drained(self) -> bool:
        """Whether all connections have ended and their `$disconnect` was handled."""
        return not self._connections and not self._ending

    def find(self, connection_id: str) -> Connection | None:
        """An open connection of this worker."""
        connection = self._connections.get(connection_id)
        return connection if connection is not None and connection.is_open else None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer an upgrade request: 101 and the socket is ours, or a problem."""
        request_id, headers = environ[REQUEST_ID], headers_of(environ)
        try:
            accepting = self._admit(environ, headers)
        except HandshakeRefused as refused:
            body = problem_body(refused.status, request_id)
            return self._refuse(environ, start_response, refused.status, body, refused.headers)
        peer = self._peer(environ, headers)
        try:
            self._admission.check(peer.source_ip)
            # Nobody gives way to somebody who may not come in.
            answer = self._routes.connect(peer, self._shown(environ, headers), environ.get("QUERY_STRING", ""), request_id)
            if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
                return self._refuse(environ, start_response, answer.status, *_refusal_of(answer, request_id))
            self._give_place(peer)
        except NoPlace as refused:
            metrics.turned_away.inc()
            return self._refuse(environ, start_response, refused.status, problem_body(refused.status, request_id), {})
        try:
            given = dict(answer.headers)
            subprotocol = given.get("sec-websocket-protocol")
            if subprotocol is not None and subprotocol in offered_subprotocols(headers):
                accepting["Sec-WebSocket-Protocol"] = subprotocol
            accepting["X-Request-Id"] = request_id
            self._open(environ, peer, switching_protocols(accepting), given)
        finally:
            if peer.connection_id not in self._connections:
                self._admission.leave(peer.connection_id)
        return self._handled  # type: ignore[no-any-return]

    def _give_place(self, peer: Peer) -> None:
        """Whoever was let in by their function, and finds no place now, is said to have gone; raises NoPlace."""
        try:
            displaced = self._admission.admit(peer.source_ip, peer.connection_id)
        except NoPlace:
            self._farewell(peer, ABNORMAL, REASONS[ABNORMAL])
            raise
        if displaced is not None:
            metrics.turned_away.inc()
            self._connections[displaced.guest].close(POLICY, "too many connections from this address")

    def on_messages(self, connection: Connection) -> None:
        """See Owner."""
        gevent.spawn(self._deliver, connection)

    def on_closed(self, connection: Connection, code: int, reason: str) -> None:
        """See Owner."""
        self._connections.pop(connection.peer.connection_id, None)
        self._hearers.pop(connection.peer.connection_id, None)
        self.views.leave(connection.peer.connection_id)
        self.dismissals.leave(connection.peer.connection_id)
        self._admission.leave(connection.peer.connection_id)
        self._farewell(connection.peer, code, reason)

    def on_sent(self, size: int) -> None:
        """See Owner."""
        self._frames += 1
        self._bytes += size

    def _admit(self, environ: dict[str, Any], headers: Mapping[str, str]) -> dict[str, str]:
        accepting = accept_headers(environ, headers)
        if self._stopping:
            raise HandshakeRefused(503)
        return accepting

    def _refuse(
        self, environ: dict[str, Any], start_response: Any, status: int, body: bytes, headers: Mapping[str, str]
    ) -> Iterable[bytes]:
        merged = {name.lower(): (name, value) for name, value in [*problem_headers(status), *headers.items()]}
        fixed = [("X-Request-Id", environ[REQUEST_ID]), ("Content-Length", str(len(body)))]
        start_response(status_line(status), [*completed(merged.values(), self._proxies.scheme(environ)), *fixed])
        return [body]

    def _peer(self, environ: dict[str, Any], headers: Mapping[str, str]) -> Peer:
        return Peer(
            connection_id=self._ids.new(),
            host=sys.intern(self._proxies.host(environ)),
            source_ip=sys.intern(self._proxies.source_ip(environ)),
            user_agent=sys.intern(headers.get("user-agent", "")),
            connected_at=time.time(),
        )

    def _shown(self, environ: dict[str, Any], headers: Mapping[str, str]) -> dict[str, str]:
        return usual_spelling(headers) | {
            "Host": self._proxies.host(environ),
            "X-Forwarded-For": self._proxies.source_ip(environ),
            "X-Forwarded-Port": str(environ.get("SERVER_PORT", "")),
            "X-Forwarded-Proto": self._proxies.scheme(environ),
        }

    def _open(self, environ: dict[str, Any], peer: Peer, response: bytes, given: Mapping[str, str]) -> None:
        sock, received = self._hijack(environ)
        try:
            sock.sendall(response)
            channel = open_channel(sock)
        except OSError:
            with contextlib.suppress(OSError):
                sock.close()
            self._farewell(peer, ABNORMAL, REASONS[ABNORMAL])
            return
        connection = Connection(channel, peer, self, self._limits, _expiry(given))
        self._connections[peer.connection_id] = connection
        if given.get(SESSION_BROADCAST) != "no":
            self._hearers[peer.connection_id] = connection
            snapshot = self.broadcast.snapshot()
            if snapshot is not None:
                connection.offer(snapshot)
        if connection.is_open:
            connection.start(received)
        self.dismissals.join(peer.connection_id, peer.connected_at, connection, given.get(SESSION_LABELS, "").split())
        if self._stopping:
            connection.close(GOING_AWAY, "server going away")

    def _deliver(self, connection: Connection) -> None:
        while connection.inbox and connection.is_open:
            message = connection.inbox.pop(0)
            answer = self._routes.message(connection, message, self._known_of(connection))
            if answer is not None:
                self._heed(connection, message, answer)
        connection.inbox.clear()
        connection.resume()

    def _known_of(self, connection: Connection) -> dict[str, str]:
        connection_id = connection.peer.connection_id
        labels, keys = self.dismissals.labels_of(connection_id), self.views.keys_of(connection_id)
        return {"principalId": labels[0] if labels else "", "subscriptions": " ".join(keys)}

    def _heed(self, connection: Connection, message: str, answer: HttpAnswer) -> None:
        """What a function has answered; nothing of it waits, so that an answer comes before the frames that follow it."""
        headers = dict(answer.headers)
        if not connection.is_open:
            return
        if REPLY in headers:
            try:
                connection.post_text(answer.body)
            except QueueFull:
                connection.close(POLICY, "answers are not read")
                return
        if SUBSCRIBE in headers and connection.is_open:
            key, _, view = headers[SUBSCRIBE].partition(" ")
            self.views.subscribe(connection, key, Subscription(view, message), version_of(answer.body) or 0)
        if UNSUBSCRIBE in headers:
            self.views.unsubscribe(connection.peer.connection_id, headers[UNSUBSCRIBE])

    def _ask_again(self, connection: Connection, message: str) -> None:
        """See Views."""

        def ask() -> None:
            answer = self._routes.message(connection, message, self._known_of(connection))
            if answer is not None and self.views.is_subscribed(connection.peer.connection_id, message):
                self._heed(connection, message, answer)
                if SUBSCRIBE not in dict(answer.headers) and answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                    self.views.give_up(connection.peer.connection_id, message)

        gevent.spawn(ask)

    def _farewell(self, peer: Peer, code: int, reason: str) -> None:
        self._ending += 1
        gevent.spawn(self._disconnect, peer, code, reason)

    def _disconnect(self, peer: Peer, code: int, reason: str) -> None:
        try:
            self._routes.disconnect(peer, code, reason)
        finally:
            self._ending -= 1

    def _tend(self) -> None:
        while True:
            gevent.sleep(self._limits.tick_seconds)
            now = time.monotonic()
            for connection in list(self._connections.values()):
                connection.check(now, self.broadcast.last_sent_at)
            frames, self._frames = self._frames, 0
            size, self._bytes = self._bytes, 0
            metrics.connections.set(len(self._connections))
            metrics.frames_sent.inc(frames)
            metrics.bytes_sent.inc(size)


def _refusal_of(answer: HttpAnswer, request_id: str) -> tuple[bytes, dict[str, str]]:
    """The function's own problem document, where it made one; else ours."""
    headers = {name: value for name, value in answer.headers if name in _REFUSAL_HEADERS}
    if answer.body and headers.get("content-type", "").startswith(CONTENT_TYPE):
        return answer.body, headers
    headers.pop("content-type", None)
    return problem_body(answer.status, request_id), headers


def _expiry(headers: Mapping[str, str]) -> float | None:
    """When the session ends, on the monotonic clock."""
    try:
        return time.monotonic() + float(headers[SESSION_EXPIRES_AT]) - time.time()
    except (KeyError, ValueError):
        return None
