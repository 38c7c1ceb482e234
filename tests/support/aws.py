"""Stand-ins of AWS' data planes over real HTTP that check what AWS checks and answer what it answers."""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from local_runtime.gateway.websocket.signature import AccessKey, SignedRequest, is_signed

ACCESS_KEY = AccessKey("stand-in", secrets.token_hex(20))
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY.key_id,
    "AWS_SECRET_ACCESS_KEY": ACCESS_KEY.secret,
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_REGION": "eu-west-1",
}
MAX_MESSAGE_BYTES = 128 * 1024
MAX_EVENT_BYTES = 240 * 1024
STAGE = "live"
_ERRORS = {403: "ForbiddenException", 410: "GoneException", 413: "PayloadTooLargeException", 429: "LimitExceededException"}
_SEGMENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,48}[A-Za-z0-9])?")
_PATH = re.compile(rf"/{STAGE}/(?:@|%40)connections/([^/]+)")


class Answers(Protocol):
    """What a stand-in does with a request; None ends the connection without an answer."""

    def answer(self, request: SignedRequest) -> tuple[int, object] | None:
        """Status and JSON."""
        ...


@dataclass
class Connections:
    """The @connections API. `open` are the connections there are; what was posted to each is in `received`.

    `verdicts` are asked first, for each request in turn: a status, or None for the usual answer.
    """

    open: set[str] = field(default_factory=set)
    received: dict[str, list[bytes]] = field(default_factory=dict)
    verdict: Callable[[str], int | None] = lambda connection_id: None
    requests: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def connect(self, connection_id: str) -> str:
        """A viewer is there."""
        self.open.add(connection_id)
        self.received.setdefault(connection_id, [])
        return connection_id

    def frames(self, connection_id: str) -> list[Any]:
        """What a viewer has got."""
        return [json.loads(text) for text in self.received[connection_id]]

    def answer(self, request: SignedRequest) -> tuple[int, object] | None:
        """As API Gateway does; without an answer where the verdict is 0."""
        match = _PATH.fullmatch(request.path)
        if match is None or not is_signed(request, ACCESS_KEY, datetime.now(UTC)):
            return _refusal(403)
        connection_id = unquote(match[1])
        with self.lock:
            self.requests += 1
            status = self.verdict(connection_id)
            if status == 0:
                return None
            if status is None:
                status = self._take(request, connection_id)
        return (status, {}) if status < 300 else _refusal(status)

    def _take(self, request: SignedRequest, connection_id: str) -> int:
        if connection_id not in self.open:
            return 410
        if request.method == "DELETE":
            self.open.remove(connection_id)
            return 204
        if len(request.body) > MAX_MESSAGE_BYTES:
            return 413
        self.received[connection_id].append(request.body)
        return 200


@dataclass
class EventsApi:
    """An AppSync Events API with one channel namespace: what was published, in order; `api_key` may publish besides IAM."""

    namespace: str = "scoreboard"
    api_key: str = "da2-stand-in"
    published: list[tuple[str, str]] = field(default_factory=list)
    verdict: Callable[[], int | None] = lambda: None
    requests: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def frames(self) -> list[Any]:
        """What a subscriber has got."""
        return [json.loads(text) for _, text in self.published]

    def answer(self, request: SignedRequest) -> tuple[int, object] | None:
        """As AppSync does; without an answer where the verdict is 0, taken but failed where it is 200."""
        if (request.method, request.path) != ("POST", "/event"):
            return 404, _errors("UnknownOperationException")
        key = request.headers.get("x-api-key")
        may_publish = key == self.api_key if key else is_signed(request, ACCESS_KEY, datetime.now(UTC), "appsync")
        if not may_publish:
            return 401, _errors("UnauthorizedException")
        with self.lock:
            self.requests += 1
            status = self.verdict()
            if status == 0:
                return None
            if status == 200:
                failed = {"identifier": secrets.token_hex(16), "index": 0, "code": 500, "message": "Internal failure"}
                return 200, {"failed": [failed], "successful": []}
            if status is not None:
                return status, _errors("TooManyRequestsException" if status == 429 else "InternalFailure")
            return self._take(json.loads(request.body))

    def _take(self, document: dict[str, Any]) -> tuple[int, object]:
        channel, events = document["channel"], document["events"]
        segments = channel.strip("/").split("/")
        if not all(_SEGMENT.fullmatch(segment) for segment in segments) or len(segments) > 5:
            return 400, _errors("BadRequestException")
        if segments[0] != self.namespace:
            return 403, _errors("UnauthorizedException")
        if not 1 <= len(events) <= 5 or any(len(event.encode()) > MAX_EVENT_BYTES for event in events):
            return 400, _errors("BadRequestException")
        self.published += [(channel, event) for event in events if json.loads(event) is not None]
        taken = [{"identifier": secrets.token_hex(16), "index": index} for index in range(len(events))]
        return 200, {"failed": [], "successful": taken}


def _errors(kind: str) -> object:
    return {"errors": [{"errorType": kind, "message": kind}]}


def _refusal(status: int) -> tuple[int, object]:
    return status, {"message": _ERRORS.get(status, "InternalServerError").removesuffix("Exception")}


@contextmanager
def serving(stand_in: Answers) -> Iterator[str]:
    """Serve a stand-in; the base URL without a path."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = 65536

        def _respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers: Mapping[str, str] = {name.lower(): value for name, value in self.headers.items()}
            url = urlsplit(self.path)
            answer = stand_in.answer(SignedRequest(self.command, url.path, url.query, headers, body))
            if answer is None:
                self.close_connection = True
                return
            status, document = answer
            text = b"" if status == 204 else json.dumps(document).encode()
            self.send_response(status)
            if status >= 400:
                self.send_header("x-amzn-ErrorType", _ERRORS.get(status, "InternalServerError"))
            if status != 204:
                self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
            self.wfile.flush()

        do_POST = do_DELETE = _respond  # noqa: N815 - the names http.server wants

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 128
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)
