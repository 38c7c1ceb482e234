"""A client's connection: requests one after another, answers in their order, and a deadline for everything it has us wait for."""

from __future__ import annotations

import logging
import math
import socket
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from email.utils import formatdate
from functools import lru_cache
from io import BytesIO
from typing import Any, Protocol

import gevent

from local_runtime.gateway.http.admission import Dismissed
from local_runtime.gateway.http.cors import CorsHeaders
from local_runtime.gateway.http.direct_socket import directly
from local_runtime.gateway.http.headers import completed
from local_runtime.gateway.http.parser import Refused, Request, RequestParser
from local_runtime.gateway.http.patience import Patience
from local_runtime.gateway.http.problems import may_have_body, problem_body, problem_headers, status_line, tell
from local_runtime.gateway.http.requests import BODY, CONNECTION, HEADERS, Peer, new_request_id, query_of
from local_runtime.hosting.events.http import HttpAnswer

logger = logging.getLogger(__name__)

RECEIVE_BYTES = 65536
LINGER_SECONDS, LINGER_BYTES = 1.0, 256 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

Headers = Sequence[tuple[str, str]]


class Application(Protocol):
    """What requests are answered by."""

    def straight(self, request: Request, peer: Peer) -> HttpAnswer | None:
        """The answer, or None: then it goes through WSGI."""
        ...

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """WSGI."""
        ...


class _Expired(BaseException):
    """Thrown at the greenlet of a connection whose client took too long."""


class HttpConnection:
    """Serves one connection through an application; `handled` is what it answers through WSGI when it took the socket.

    Nothing here starts a timer: whoever holds the connection looks at `ends_at` (monotonic seconds) from time to time and calls
    `expire` when it is past.
    """

    def __init__(
        self,
        client: Any,
        environ: dict[str, Any],
        app: Application,
        handled: object,
        *,
        max_body: int,
        patience: Patience,
        cors: CorsHeaders,
    ) -> None:
        self._client = client
        self._line = directly(client)
        self._environ = environ
        self._peer = Peer.of(environ)
        self._app = app
        self._handled = handled
        self._max_body = max_body
        self._patience = patience
        self._cors = cors
        self._parser = RequestParser(max_body)
        self._greenlet = gevent.getcurrent()
        self._is_taken = False
        self.is_busy = False
        self.ends_at = time.monotonic() + self._patience.head

    def serve(self, stays: Callable[[], bool]) -> None:
        """Until the client goes, is refused or expires, or `stays` says that this was the last answer."""
        try:
            while (request := self._next()) is not None:
                self.is_busy = True
                goes_on = self._answer(request, stays)
                self.is_busy = False
                if not goes_on:
                    break
                self.ends_at = time.monotonic() + self._patience.idle
        except Refused as refused:
            self._refuse(refused.status)
        except _Expired:
            # Half a request is answered; who is idle or does not read is let go.
            if self._parser.is_in_request and not self.is_busy:
                self._refuse(408)
        except Dismissed:
            if self._parser.is_in_request:
                self._refuse(503, lingers=False)
        except OSError as error:
            logger.debug("a client is gone: %s", error)
        finally:
            self.is_busy = False
            if not self._is_taken:
                self._line.release()
                self._client.close()

    def expire(self) -> None:
        """Its time is over; called in the hub, from where a greenlet may be thrown at."""
        self.ends_at = math.inf
        self._greenlet.throw(_Expired)

    def take(self) -> tuple[Any, bytes]:
        """The socket, and what was received beyond the request, for another protocol."""
        self._is_taken = True
        self.ends_at = math.inf
        self._line.release()
        self._client.settimeout(self._patience.send)
        return self._client, self._parser.rest or b""

    def _next(self) -> Request | None:
        parser = self._parser
        if parser.rest is not None and not parser.requests:  # the other protocol was not spoken after all
            rest = parser.rest
            self._parser = parser = RequestParser(self._max_body)
            if rest:
                parser.feed(rest)
        if parser.requests:  # who sends them without waiting for answers has one turn after the other, as everybody has
            gevent.sleep(0)
        phase = "idle"
        while not parser.requests:
            if parser.is_in_body and phase != "body":
                phase, self.ends_at = "body", time.monotonic() + self._patience.body
            elif parser.is_in_request and phase == "idle":
                phase, self.ends_at = "head", time.monotonic() + self._patience.head
            received = self._line.recv(RECEIVE_BYTES)
            if not received:
                if parser.is_in_body:
                    raise Refused(400)
                return None
            parser.feed(received)
            if parser.wants_continue:
                parser.wants_continue = False
                self._client.sendall(_CONTINUE)
        self.ends_at = math.inf
        return parser.requests.popleft()

    def _answer(self, request: Request, stays: Callable[[], bool]) -> bool:
        answer = self._answered(request)
        if answer is None:
            return False
        status, headers, body = answer
        keeps = request.keeps_alive and stays()
        connection = "" if keeps and request.version == "1.1" else f"Connection: {'keep-alive' if keeps else 'close'}\r\n"
        data = _head(status, headers, connection)
        if request.method != "HEAD":
            data += body
        self.ends_at = time.monotonic() + self._patience.send
        self._line.sendall(data)
        return keeps

    def _answered(self, request: Request) -> tuple[str, Headers, bytes] | None:
        """Status, headers and body; None when the application took the socket."""
        try:
            answer = self._app.straight(request, self._peer)
            if answer is not None:
                return status_line(answer.status), answer.headers, answer.body
            given = _Answer()
            result = self._app(self._environ_of(request), given.start)
            return None if result is self._handled else given.with_body(_joined(result))
        except Exception:
            request_id = new_request_id()
            logger.exception("%s request failed", request_id)
            origin = request.headers.get("origin", "")
            return self._problem(500, request_id, origin).with_body(problem_body(500, request_id))

    def _environ_of(self, request: Request) -> dict[str, Any]:
        environ = self._environ.copy()
        headers, body = request.headers, request.body
        for name, value in headers.items():
            environ[_variable(name)] = value
        target = request.target
        environ["REQUEST_METHOD"] = request.method
        environ["RAW_URI"] = target
        environ["QUERY_STRING"] = query_of(target)
        environ["SERVER_PROTOCOL"] = f"HTTP/{request.version}"
        environ["wsgi.input"] = BytesIO(body)
        environ[CONNECTION], environ[HEADERS], environ[BODY] = self, headers, body
        if "transfer-encoding" in headers:
            environ["CONTENT_LENGTH"] = str(len(body))
        return environ

    def _problem(self, status: int, request_id: str, origin: str) -> _Answer:
        answer = _Answer()
        headers = completed(problem_headers(status), self._peer.scheme)
        headers += self._cors.answer("", origin, "")
        answer.start(status_line(status), [*headers, ("X-Request-Id", request_id)])
        return answer

    def _refuse(self, status: int, *, lingers: bool = True) -> None:
        """In the format of all other errors; then the client gets a moment to read it, unless its place is wanted."""
        request_id = new_request_id()
        tell(status, request_id)
        answer = self._problem(status, request_id, self._parser.origin)
        line, headers, body = answer.with_body(problem_body(status, request_id))
        self.ends_at = math.inf
        with suppress(OSError):
            self._client.settimeout(LINGER_SECONDS)
            self._client.sendall(_head(line, headers, "Connection: close\r\n") + body)
            socket.socket.shutdown(self._client, socket.SHUT_WR)
            left = LINGER_BYTES if lingers else 0
            while left > 0 and (received := self._client.recv(RECEIVE_BYTES)):
                left -= len(received)


class _Answer:
    """Collects what start_response is told."""

    status = ""
    headers: Headers = ()

    def start(self, status: str, headers: Headers, exc_info: Any = None) -> None:
        """start_response; nothing is sent before all is there, so an error may always take the place of an answer."""
        self.status, self.headers = status, headers

    def with_body(self, body: bytes) -> tuple[str, Headers, bytes]:
        """Status, headers and body; the length is told where there can be a body and it was not told before."""
        headers = self.headers
        if may_have_body(self.status) and not any(name == "Content-Length" for name, _ in headers):
            headers = [*headers, ("Content-Length", str(len(body)))]
        return self.status, headers, body


def _joined(result: Iterable[bytes]) -> bytes:
    """The body a WSGI application gave."""
    try:
        return b"".join(result)
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()


def _head(status: str, headers: Headers, connection: str) -> bytes:
    """Status line and headers."""
    text = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if text.count("\n") != len(headers):
        raise ValueError("a header of an answer has a line break in it")
    return f"HTTP/1.1 {status}\r\n{text}{connection}Date: {_date(int(time.time()))}\r\n\r\n".encode("latin-1")


def connection_environ(listener_name: Any, address: Any, *, scheme: str) -> dict[str, Any]:
    """What all requests of a connection have in common; a local socket's peer has no address."""
    host, port = listener_name[:2] if isinstance(listener_name, tuple) else ("localhost", "")
    peer, peer_port = address[:2] if isinstance(address, tuple) and len(address) > 1 else ("", "")
    return {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "SCRIPT_NAME": "",
        "SERVER_NAME": str(host),
        "SERVER_PORT": str(port),
        "REMOTE_ADDR": str(peer),
        "REMOTE_PORT": str(peer_port),
    }


@lru_cache(1024)
def _variable(name: str) -> str:
    variable = name.upper().replace("-", "_")
    return variable if variable in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{variable}"


@lru_cache(2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
