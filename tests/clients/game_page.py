"""The page that a document shows, on a web server of its own: another origin than the scoreboard's."""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from tests.support.product import ROOT

ON_THE_PAGE = "http://127.0.0.1:8080"
CLIENT = ROOT / "infra" / "clients" / "javascript" / "scoreboard.js"


class GamePage:
    """Serves it as it stands, for the scoreboard at `server_url`; at /copied with a copy of the client beside it."""

    def __init__(self, document: Path) -> None:
        self._page: str
        (self._page,) = re.findall(r"^```html\n(.*?)^```", document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        self.server_url = ""
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = page.answer(self.path).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/javascript" if self.path.endswith(".js") else "text/html")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Not into the tests' output."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, path: str) -> str:
        """The page, or the client."""
        if path == "/scoreboard.js":
            return CLIENT.read_text(encoding="utf-8")
        page = self._page
        if path == "/copied":
            page = page.replace(f"{ON_THE_PAGE}/assets/scoreboard.js", "/scoreboard.js")
        return page.replace(ON_THE_PAGE, self.server_url)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
