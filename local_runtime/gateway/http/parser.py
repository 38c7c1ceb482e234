"""Requests out of bytes: llhttp, Node's parser, does the parsing; the limits and what else is refused are here."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache

import httptools

from local_runtime.gateway.http.host import is_host

MAX_TARGET = 8190
MAX_FIELD = 8190
MAX_FIELDS = 64
MAX_HEAD = 64 * 1024
_FRAMING = ("host", "connection", "content-length", "transfer-encoding", "expect")
_ODD = ("", "transfer-encoding")
_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~]+ HTTP/1\.[01]\r\n")
_METHOD_OF_RTSP = "Invalid method for HTTP/x.x request"  # llhttp's words; httptools has no error of its own for it
CHUNKED_OVERHEAD = 8  # a body of one byte a chunk is six times as long on the wire


class Refused(Exception):
    """What came is no request that is answered; `status` says why. The connection ends with it."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(slots=True)
class Request:
    """A request with all of its body; header names are lower-case, repeated headers are joined with commas."""

    method: str
    target: str = field(repr=False)
    version: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    keeps_alive: bool


class RequestParser:
    """Feed it what was received; whole requests are in `requests`, in their order.

    After a handshake of WebSocket nothing more is parsed: `rest` is what was received beyond it, None otherwise.
    """

    def __init__(self, max_body: int) -> None:
        self._max_body = max_body
        self._parser = httptools.HttpRequestParser(self)
        self.requests: deque[Request] = deque()
        self.rest: bytes | None = None
        self.wants_continue = False
        self.is_in_request = self.is_in_body = False
        self._head_size = self._wire_size = 0
        self._resumed: Request | None = None
        self.on_message_begin()

    @property
    def origin(self) -> str:
        """The Origin header of the request that is being received; empty where it has none, or has not come so far."""
        headers = self._headers if self._resumed is None else self._resumed.headers
        return headers.get("origin", "")

    def feed(self, data: bytes) -> None:
        """Parse; raises Refused."""
        if self.is_in_body:
            self._wire_size += len(data)
        else:
            self._head_size += len(data)
        self.is_in_request = True
        while data:
            data = self._parse(data)
        # A header line that does not end is kept by the parser, and no callback tells of it; nor of a chunk's extensions.
        if self.is_in_request and not self.is_in_body and self._head_size > MAX_HEAD:
            raise Refused(431)
        if self._wire_size > CHUNKED_OVERHEAD * self._max_body + MAX_HEAD:
            raise Refused(413)

    def _parse(self, data: bytes) -> bytes:
        """Parse; answers what has to be parsed after that."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._after_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            raise error.__context__ if isinstance(error.__context__, Refused) else Refused(400) from None
        except httptools.HttpParserError as error:
            raise Refused(501 if self._is_unknown_method(error, data) else 400) from None
        return b""

    def _is_unknown_method(self, error: httptools.HttpParserError, data: bytes) -> bool:
        """Whether only the method was wrong: the first line is HTTP otherwise, and no other request stands before it."""
        is_method = isinstance(error, httptools.HttpParserInvalidMethodError) or str(error) == _METHOD_OF_RTSP
        return is_method and not self.requests and _REQUEST_LINE.match(data) is not None

    def _after_upgrade(self, rest: bytes) -> bytes:
        """llhttp takes what follows the head of a request with Upgrade for the other protocol, also its body.

        The only one that is spoken here is WebSocket, whose handshake has no body. After all others a parser that is told nothing
        of an upgrade goes on with the body: else it would be taken for the next request.
        """
        request = self.requests[-1]
        framing = {name: request.headers[name] for name in _FRAMING if name in request.headers}
        has_body = "transfer-encoding" in framing or int(framing.get("content-length") or 0) > 0
        if request.method == "CONNECT" or ("websocket" in request.headers.get("upgrade", "").lower() and not has_body):
            self.rest = rest
            return b""
        self._resumed = self.requests.pop()
        self._parser = httptools.HttpRequestParser(self)
        head = f"{request.method} / HTTP/{request.version}\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in framing.items()
        )
        self._parse(head.encode("latin-1") + b"\r\n")
        return rest

    # Called by the parser

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._target = b""
        self._headers: dict[str, str] = {}
        self._fields = 0
        self._body: list[bytes] = []
        self._body_size = 0
        self.is_in_request, self.is_in_body = False, False

    def on_url(self, part: bytes) -> None:
        """A part of the target."""
        self.is_in_request = True
        self._target += part
        if len(self._target) > MAX_TARGET:
            raise Refused(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which nobody wants."""
        if self.is_in_body:
            return
        self._fields += 1
        if self._fields > MAX_FIELDS or len(name) + len(value) > MAX_FIELD:
            raise Refused(431)
        text, headers = _lower(name), self._headers
        content = value.decode("latin-1").rstrip(" \t")  # llhttp takes white space off the front alone (RFC 9110, 5.5)
        if text in headers or text in _ODD:
            self._heed(text, content)
        else:
            headers[text] = content

    def _heed(self, text: str, content: str) -> None:
        """A header that came before, or one that not everybody may send."""
        headers = self._headers
        if not text:
            return
        if text == "transfer-encoding" and content.strip().lower() != "chunked":
            raise Refused(501)
        if text not in headers:
            headers[text] = content
        elif text == "host":
            raise Refused(400)
        else:
            headers[text] = f"{headers[text]},{content}"

    def on_headers_complete(self) -> None:
        """Before the body is there: a request that is refused anyway need not send it."""
        self.is_in_request = self.is_in_body = True
        headers = self._headers
        is_old = self._parser.get_http_version() == "1.0"
        if ("host" not in headers and not is_old) or ("transfer-encoding" in headers and is_old):
            raise Refused(400)
        if not is_host(headers.get("host", "")):
            raise Refused(400)
        if int(headers.get("content-length") or 0) > self._max_body:
            raise Refused(413)
        expectation = headers.get("expect")
        if expectation is not None:
            if expectation.strip().lower() != "100-continue":
                raise Refused(417)
            self.wants_continue = True

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        self.wants_continue = False
        self._body_size += len(part)
        if self._body_size > self._max_body:
            raise Refused(413)
        self._body.append(part)

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        parser, head = self._parser, self._resumed
        method = parser.get_method().decode("latin-1")
        self.requests.append(
            Request(
                method,
                self._target.decode("latin-1") if head is None else head.target,
                parser.get_http_version(),
                self._headers if head is None else head.headers,
                self._body[0] if len(self._body) == 1 else b"".join(self._body),
                parser.should_keep_alive() and method != "CONNECT",
            )
        )
        self._resumed = None
        self._head_size = self._wire_size = 0
        self.wants_continue = self.is_in_request = self.is_in_body = False


@lru_cache(1024)
def _lower(name: bytes) -> str:
    """Nothing for one with an underscore: it would become the same variable as its twin with a hyphen, and smuggle one in."""
    return "" if b"_" in name else name.decode("latin-1").lower()
