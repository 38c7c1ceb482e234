"""A small HTTP server on loopback for stand-ins of services: one function answers every request, a thread for each connection."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MAX_BODY_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came: path with query, header names in lower case, repeated ones joined."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    source_ip: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What goes back."""

    status: int
    body: bytes = b""
    headers: Sequence[tuple[str, str]] = (("Content-Type", "application/json"),)


@contextmanager
def serving(answer: Callable[[Asked], Answered]) -> Iterator[str]:
    """The host and port at which `answer` is asked."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or each answer waits for a delayed acknowledgement

        def _serve(self) -> None:
            headers: dict[str, str] = {}
            for name, value in self.headers.items():
                headers[name.lower()] = f"{headers[name.lower()]},{value}" if name.lower() in headers else value
            length = int(headers.get("content-length", 0))
            assert length <= MAX_BODY_BYTES
            body = self.rfile.read(length)
            answered = answer(Asked(self.command, self.path, headers, body, self.client_address[0]))
            self.send_response(answered.status)
            for name, value in answered.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answered.body)))
            self.end_headers()
            self.wfile.write(answered.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815 - the library's names

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: object, client_address: object) -> None:
            """Clients that are killed while they wait are no news."""

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
