"""The @connections management API: post to, look at and close a connection, whichever worker holds it."""

from __future__ import annotations

import http.client
import json
import logging
import re
import socket
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from local_runtime.gateway.http.problems import status_line
from local_runtime.gateway.http.requests import BODY, REQUEST_ID, headers_of, raw_path
from local_runtime.gateway.websocket.connection import Connection, QueueFull
from local_runtime.gateway.websocket.ids import ConnectionIds
from local_runtime.gateway.websocket.limits import MAX_MESSAGE_BYTES
from local_runtime.gateway.websocket.signature import AccessKey, SignedRequest, is_signed

logger = logging.getLogger(__name__)

_PATH = re.compile(r"/(?P<stage>[^/]+)/(?:@|%40)connections/(?P<id>[^/]+)")
_FORWARD_SECONDS = 10.0
_ERRORS = {
    403: "ForbiddenException",
    404: "NotFoundException",
    405: "MethodNotAllowedException",
    410: "GoneException",
    413: "PayloadTooLargeException",
    429: "LimitExceededException",
}


class Refused(Exception):
    """The call is answered with this status and nothing else."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class ManagementApi:
    """A WSGI callable. Requests from other workers come through the worker's own socket file, whose permissions are their proof;
    all others must be signed. It knows the connections of this instance: what another one holds is told apart from what is gone.
    """

    def __init__(
        self,
        stage: str,
        find: Callable[[str], Connection | None],
        access_key: AccessKey,
        ids: ConnectionIds,
        process_id: int,
        socket_of: Callable[[int], Path],
    ) -> None:
        self._stage = stage
        self._find = find
        self._access_key = access_key
        self._ids = ids
        self._process_id = process_id
        self._socket_of = socket_of

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer as API Gateway does."""
        try:
            status, body = self._answer(environ)
        except Refused as refused:
            status, body = refused.status, b""
        return _reply(start_response, environ[REQUEST_ID], status, body)

    def _answer(self, environ: dict[str, Any]) -> tuple[int, bytes]:
        method, path = str(environ["REQUEST_METHOD"]), raw_path(environ)
        match = _PATH.fullmatch(path)
        if match is None or match["stage"] != self._stage:
            raise Refused(404)
        if method not in ("POST", "GET", "DELETE"):
            raise Refused(405)
        body: bytes = environ[BODY]
        if len(body) > MAX_MESSAGE_BYTES:
            raise Refused(413)
        from_worker = environ.get("REMOTE_ADDR") == ""
        if not from_worker:
            self._verify(environ, method, body)
        connection_id = unquote(match["id"])
        if self._ids.is_of_another_instance(connection_id):
            raise Refused(404)  # not 410, upon which a caller would forget a viewer who may well be there
        holder = self._ids.process_of(connection_id)
        if holder is None:
            raise Refused(410)
        if holder == self._process_id or from_worker:
            return _act(self._find(connection_id), method, body)
        return self._forward(holder, method, path, body)

    def _verify(self, environ: dict[str, Any], method: str, body: bytes) -> None:
        # The signature covers the path as the client spelt it, not our normal form.
        target = str(environ["RAW_URI"]).partition("?")[0]
        request = SignedRequest(method, target, environ.get("QUERY_STRING", ""), headers_of(environ), body)
        if not is_signed(request, self._access_key, datetime.now(UTC)):
            raise Refused(403)

    def _forward(self, holder: int, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        client = _UnixConnection(self._socket_of(holder))
        try:
            client.request(method, path, body if method == "POST" else None)
            response = client.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            # Its process is gone, and with it the connection.
            logger.info("worker %d does not answer: %s", holder, type(error).__name__)
            raise Refused(410) from None
        finally:
            client.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_FORWARD_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket file."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _act(connection: Connection | None, method: str, body: bytes) -> tuple[int, bytes]:
    if connection is None:
        raise Refused(410)
    if method == "DELETE":
        connection.close(1000, "")
        return 204, b""
    if method == "GET":
        return 200, json.dumps(_description(connection)).encode()
    try:
        connection.post_text(body)
    except QueueFull:
        raise Refused(429) from None
    return 200, b""


def _description(connection: Connection) -> dict[str, Any]:
    peer = connection.peer
    return {
        "connectedAt": _instant(peer.connected_at),
        "identity": {"sourceIp": peer.source_ip, "userAgent": peer.user_agent},
        "lastActiveAt": _instant(connection.last_active_epoch),
    }


def _instant(epoch_seconds: float) -> str:
    return datetime.fromtimestamp(epoch_seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _reply(start_response: Any, request_id: str, status: int, body: bytes) -> Iterable[bytes]:
    headers = [("X-Request-Id", request_id), ("x-amzn-RequestId", request_id)]
    if status >= 400:
        error = _ERRORS.get(status, "BadRequestException")
        headers.append(("x-amzn-ErrorType", error))
        body = body or json.dumps({"message": error.removesuffix("Exception"), "requestId": request_id}).encode()
    if body:
        headers.append(("Content-Type", "application/json"))
    if status != 204:
        headers.append(("Content-Length", str(len(body))))
    start_response(status_line(status), headers)
    return [body]
