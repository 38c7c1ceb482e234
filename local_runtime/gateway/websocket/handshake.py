"""Checks the opening handshake and writes its answer; what `websockets` decides, in the gateway's own error format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.server import ServerProtocol

_SPELLING = {
    "sec-websocket-key": "Sec-WebSocket-Key",
    "sec-websocket-version": "Sec-WebSocket-Version",
    "sec-websocket-protocol": "Sec-WebSocket-Protocol",
    "sec-websocket-extensions": "Sec-WebSocket-Extensions",
    "x-api-key": "X-Api-Key",
}


class HandshakeRefused(Exception):
    """The request is no acceptable handshake; `status` says why, `headers` go with it."""

    def __init__(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.headers = dict(headers or {})


def usual_spelling(headers: Mapping[str, str]) -> dict[str, str]:
    """Header names as clients write them; WSGI has forgotten how this one did."""
    return {_SPELLING.get(name) or name.title(): value for name, value in headers.items()}


def accept_headers(environ: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of the 101 for this request; raises HandshakeRefused (400, 405, 426 or 505)."""
    method = str(environ["REQUEST_METHOD"])
    if method != "GET":
        raise HandshakeRefused(405, {"Allow": "GET"})
    if environ.get("SERVER_PROTOCOL") != "HTTP/1.1":
        raise HandshakeRefused(505)
    if environ.get("CONTENT_LENGTH") not in (None, "", "0") or "transfer-encoding" in headers:
        raise HandshakeRefused(400)
    version = headers.get("sec-websocket-version")
    if version is not None and version.strip() != "13":
        raise HandshakeRefused(426, {"Upgrade": "websocket", "Sec-WebSocket-Version": "13"})
    response = ServerProtocol().accept(Request("/", Headers(headers)))
    if response.status_code == 426:
        raise HandshakeRefused(426, {"Upgrade": "websocket"})
    if response.status_code != 101:
        raise HandshakeRefused(response.status_code)
    return dict(response.headers.raw_items())


def offered_subprotocols(headers: Mapping[str, str]) -> list[str]:
    """What the client offers in Sec-WebSocket-Protocol."""
    return [item.strip() for item in headers.get("sec-websocket-protocol", "").split(",") if item.strip()]


def switching_protocols(headers: Mapping[str, str]) -> bytes:
    """The bytes of the 101."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n".encode("latin-1")
