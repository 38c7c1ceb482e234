"""The gunicorn worker: gevent's, with bounded waits, its own error format, WebSockets handed over and a quick, clean end."""

from __future__ import annotations

import logging
import os
import signal
import socket
import ssl
import time
from contextlib import suppress
from functools import partial
from typing import Any

import gevent
from gevent import Greenlet
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.workers.base import Worker
from gunicorn.workers.base_async import ALREADY_HANDLED
from gunicorn.workers.ggevent import GeventWorker

from local_runtime.gateway.http.admission import Admission, Dismissed, Displaced, NoPlace
from local_runtime.gateway.http.connection import LINGER_BYTES, LINGER_SECONDS, RECEIVE_BYTES, HttpConnection, connection_environ
from local_runtime.gateway.http.headers import completed
from local_runtime.gateway.http.log import WorkerLog
from local_runtime.gateway.http.problems import problem_body, problem_headers, status_line, tell
from local_runtime.gateway.http.requests import CONNECTION, new_request_id
from local_runtime.gateway.site import Site

logger = logging.getLogger(__name__)

HANDLED = ALREADY_HANDLED
HANDSHAKE_SECONDS = 10.0
_NOTIFY_SECONDS = 0.25
_SETTLE_SECONDS = 0.2
_SWEEP_SECONDS = 0.5
_ARBITER_SECONDS = 1.25  # what the arbiter needs of the time itself, before it kills
_INTERNAL_CONNECTIONS = 200
_ON_THE_WAY_OUT = 200  # connections told that there is no place for them, and not gone yet


def hijack(environ: dict[str, Any]) -> tuple[Any, bytes]:
    """Take the socket of a request: the socket, and what the parser has read beyond the request."""
    connection: HttpConnection = environ[CONNECTION]
    return connection.take()


class GatewayWorker(GeventWorker):  # type: ignore[misc]
    """Serves a Site on the public listener, the management listener and a socket file for the other workers.

    With connections of our own: gunicorn's makes some fifty objects a request that nobody here needs.
    """

    wsgi: Site

    def init_signals(self) -> None:
        """As gunicorn, but Ctrl-C is the arbiter's business."""
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def notify(self) -> None:
        """Show that we live. gunicorn's would drop everything when the arbiter has died; we finish what we have first."""
        Worker.notify(self)
        if self.ppid != os.getppid():
            self.alive = False

    def run(self) -> None:
        """Serve until told to stop, then finish what is in flight."""
        with WorkerLog() as log:
            self._serve(log)

    def _serve(self, log: WorkerLog) -> None:
        self._connections: dict[Greenlet, HttpConnection] = {}
        # One look a second at all connections instead of a timer for each.
        sweeps = gevent.get_hub().loop.timer(_SWEEP_SECONDS, _SWEEP_SECONDS, ref=False)
        sweeps.start(self._sweep)
        self._admission: Admission[Greenlet] = self.wsgi.admission(self._may_go)
        self._tls = self.wsgi.server_tls()
        servers = self._listen()
        self.wsgi.start()
        for server in servers:
            server.start()
        while self.alive:
            self.notify()
            self.wsgi.tend()
            log.tend()
            if self._tls is not None:
                self._tls.refresh()
            gevent.sleep(_NOTIFY_SECONDS)
        for server in servers:
            server.close()
        self.wsgi.worker_socket.unlink(missing_ok=True)
        self.wsgi.stop()
        self._drain()
        sweeps.stop()
        self.wsgi.flush_metrics()

    def _listen(self) -> list[StreamServer]:
        public, *management = self.sockets
        path = self.wsgi.worker_socket
        path.unlink(missing_ok=True)
        internal = gevent.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        internal.bind(str(path))
        internal.listen(_INTERNAL_CONNECTIONS)
        internal_pool = Pool(_INTERNAL_CONNECTIONS)
        public_pool = Pool(self.worker_connections + _ON_THE_WAY_OUT)
        servers = [StreamServer(public, partial(self._handle_public, public), spawn=public_pool)]
        servers += [StreamServer(s, partial(self._handle, s), spawn=internal_pool) for s in (*management, internal)]
        if self.cfg.workers > 1:
            for server in servers:
                server.max_accept = 1
        return servers

    def _drain(self) -> None:
        """Idle keep-alive connections are not waited for; what was accepted a moment ago gets the time to become a request."""
        ends_at = time.monotonic() + self.cfg.graceful_timeout - _ARBITER_SECONDS
        settled_at = time.monotonic() + _SETTLE_SECONDS
        while time.monotonic() < ends_at:
            if time.monotonic() > settled_at and not self._unanswered() and self.wsgi.is_drained:
                return
            self.notify()
            gevent.sleep(0.02)
        logger.warning("stopping with %d requests in flight", self._unanswered())

    def _unanswered(self) -> int:
        return sum(connection.is_busy for connection in self._connections.values())

    def _may_go(self, guest: Greenlet) -> bool:
        """Whether this connection waits for its client, and not its client for us."""
        connection = self._connections.get(guest)
        return connection is None or not connection.is_busy

    def _handle_public(self, listener: Any, client: Any, address: Any) -> None:
        guest = gevent.getcurrent()
        try:
            displaced = self._admission.admit(address[0] if isinstance(address, tuple) else "", guest)
        except NoPlace as refused:
            self.wsgi.note_turned_away()
            if self._tls is None:  # whoever would have to be greeted with a handshake first finds the door shut
                self._say_problem(client, refused.status)
                self._hear_out(client)
            return
        if displaced is not None:
            self.wsgi.note_turned_away()
            gevent.get_hub().loop.run_callback(self._dismiss, displaced)
        try:
            if self._tls is not None:
                client = self._start_tls(self._tls.context, client)
            if client is not None:
                self._handle(listener, client, address)
        except Dismissed:
            logger.debug("%s gave way to a newcomer", address)
        finally:
            self._admission.leave(guest)

    def _hear_out(self, client: Any) -> None:
        """A request that is not read would take the answer away again: closing on it resets the connection."""
        with suppress(OSError), gevent.Timeout(LINGER_SECONDS, False):
            client.shutdown(socket.SHUT_WR)
            left = LINGER_BYTES
            while left > 0 and (received := client.recv(RECEIVE_BYTES)):
                left -= len(received)

    def _dismiss(self, displaced: Displaced[Greenlet]) -> None:
        """In the hub, from where a greenlet may be thrown at; its request may just have become whole."""
        if not self._may_go(displaced.guest):
            self._admission.restore(displaced)
        elif not displaced.guest.dead:
            displaced.guest.throw(Dismissed)

    def _handle(self, listener: Any, client: Any, address: Any) -> None:
        scheme = "https" if isinstance(client, ssl.SSLSocket) else "http"
        environ = connection_environ(listener.getsockname(), address, scheme=scheme)
        if client.family != socket.AF_UNIX:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        public = listener is self.sockets[0]
        connection = HttpConnection(
            client,
            environ,
            self.wsgi,
            HANDLED,
            max_body=self.wsgi.max_body_bytes(public=public),
            patience=self.wsgi.patience,
            cors=self.wsgi.cors(public=public),
        )
        greenlet = gevent.getcurrent()
        self._connections[greenlet] = connection
        try:
            connection.serve(self._stays)
        finally:
            del self._connections[greenlet]

    def _start_tls(self, context: ssl.SSLContext, client: Any) -> Any:
        client = context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        try:
            with gevent.Timeout(HANDSHAKE_SECONDS, TimeoutError):
                client.do_handshake()
        except OSError as error:
            logger.debug("TLS handshake failed: %s", error)
            client.close()
            return None
        except Dismissed:
            client.close()
            raise
        return client

    def _say_problem(self, client: Any, status: int) -> None:
        """Answer a connection that is closed after that, in the format of all other errors.

        Without CORS headers: nothing of a request was read, its Origin neither.
        """
        request_id = new_request_id()
        tell(status, request_id)
        body = problem_body(status, request_id)
        fixed = [("X-Request-Id", request_id), ("Content-Length", str(len(body))), ("Connection", "close")]
        headers = completed(problem_headers(status), "https" if self.cfg.is_ssl else "http")
        lines = [f"HTTP/1.1 {status_line(status)}", *(f"{name}: {value}" for name, value in [*headers, *fixed])]
        try:
            client.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        except OSError as error:
            logger.debug("nobody left to tell about %d: %s", status, error)

    def _stays(self) -> bool:
        return bool(self.alive)

    def _sweep(self) -> None:
        now = time.monotonic()
        for connection in [connection for connection in self._connections.values() if connection.ends_at < now]:
            connection.expire()
