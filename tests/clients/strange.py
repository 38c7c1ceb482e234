"""A server that is no scoreboard: what stands at a wrong address, or before the right one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HTML, JSON = "text/html; charset=utf-8", "application/json"
PAGE = b"<!doctype html><title>Something else</title>"
# By the first part of the path: what is answered, whatever is asked.
ANSWERS = {
    "html": (200, HTML, PAGE),
    "json": (200, JSON, b'{"status": "ok"}'),
    "missing": (404, HTML, PAGE),
    "other": (404, JSON, b'{"error": "no such thing"}'),
    "static": (501, HTML, PAGE),
    "moved": (301, HTML, PAGE),
    "busy": (503, HTML, PAGE),
}


@contextmanager
def strange_server() -> Iterator[str]:
    """Serve them all; gives the URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, media_type, content = ANSWERS[self.path.split("/")[1]]
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(content)))
            if status == 301:
                self.send_header("Location", "https://scores.test/")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Not into the tests' output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
