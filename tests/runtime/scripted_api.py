"""The few endpoints a simulated player uses, with every misfortune that an instance may have."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from websockets.sync.server import ServerConnection, serve

LIVES_SECONDS = 900
PAGE = b"<!doctype html><title>Something else</title>"
BOARD = json.dumps({"type": "leaderboard", "version": 1, "data": [], "cache_time": ""})


class ScriptedApi:
    """What it was asked, what it counted, and which answers are still to go wrong."""

    def __init__(self) -> None:
        self.base_url = ""
        self.ws_url = ""
        self.asked: list[tuple[float, str, str]] = []
        self.results: dict[str, int] = {}
        self.scores: Counter[str] = Counter()
        self.connections = 0
        self.viewers = 0
        self.page_only = False
        self.registrations_refused = 0
        self.retry_after = "1"
        self.counted_then_failed = 0
        self.counted_then_cut = 0
        self.expired = 0
        self.stolen_points = 0
        self.ticket_required = False
        self.tickets_refused = 0
        self.spent: dict[str, str] = {}
        self._lock = threading.Lock()

    def count(self, method: str, ending: str) -> int:
        """How often a path that ends so was asked."""
        return sum(asked == method and path.endswith(ending) for _, asked, path in self.asked)

    def answer(
        self, method: str, path: str, body: Any, key: str | None, ticket: str | None
    ) -> tuple[int, Any, dict[str, str]] | None:
        """Status, body and headers; None cuts the connection."""
        with self._lock:
            self.asked.append((time.monotonic(), method, path))
            if path == "/api/users":
                return self._register(body)
            if path == "/api/tokens":
                return 200, {"data": self._tokens(body)}, {}
            if path == "/api/ws-tickets":
                return 201, {"data": {"ticket": "once", "pingInterval": 240, "reconnectIn": 600, "url": self.ws_url}}, {}
            if path.endswith("/tickets"):
                return 201, {"data": {"ticket": str(len(self.asked))}}, {}
            if method == "POST" and self.ticket_required and (refusal := self._refuse_ticket(key or "", ticket)):
                return refusal
            user_id = path.rpartition("/")[2].partition("?")[0]
            if method == "GET":
                return 200, {"data": {"score": self.scores[user_id] - self.stolen_points}}, {}
            return self._score(user_id, body["increment"], key or "")

    def _register(self, body: Any) -> tuple[int, Any, dict[str, str]]:
        if self.registrations_refused:
            self.registrations_refused -= 1
            return 429, {"code": "rate_limited"}, {"Retry-After": self.retry_after}
        return 201, {"data": {"userId": f"id-{body['username']}"}}, {}

    def _tokens(self, body: Any) -> dict[str, Any]:
        """An access token says who somebody is, as the API's do; a refresh token is the name."""
        name = body.get("username") or body["refreshToken"]
        claims = base64.urlsafe_b64encode(json.dumps({"sub": f"id-{name}"}).encode()).decode().rstrip("=")
        return {"accessToken": f"e30.{claims}.", "refreshToken": name, "expiresIn": LIVES_SECONDS}

    def _refuse_ticket(self, key: str, ticket: str | None) -> tuple[int, Any, dict[str, str]] | None:
        if ticket is None:
            return 428, {"code": "ticket_required"}, {}
        if self.tickets_refused:
            self.tickets_refused -= 1
            return 403, {"code": "invalid_action_ticket"}, {}
        if self.spent.setdefault(ticket, key) != key:
            return 409, {"code": "ticket_already_used"}, {}
        return None

    def _score(self, user_id: str, increment: int, key: str) -> tuple[int, Any, dict[str, str]] | None:
        if self.expired:
            self.expired -= 1
            return 401, {"code": "invalid_token"}, {}
        if key not in self.results:
            self.scores[user_id] += increment
            self.results[key] = self.scores[user_id]
        if self.counted_then_failed:
            self.counted_then_failed -= 1
            return 503, {"code": "unavailable"}, {"Retry-After": "1"}
        if self.counted_then_cut:
            self.counted_then_cut -= 1
            return None
        return 200, {"data": {"score": self.results[key]}}, {}


@contextmanager
def scripted_api() -> Iterator[ScriptedApi]:
    """Serve one over HTTP and WebSocket; its viewers get a frame when they connect, and no more."""
    api = ScriptedApi()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            api.connections += 1
            super().setup()

        def do_POST(self) -> None:
            self._reply("POST")

        def do_GET(self) -> None:
            self._reply("GET")

        def _reply(self, method: str) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(content) if content else None
            key, ticket = self.headers.get("Idempotency-Key"), self.headers.get("X-Action-Ticket")
            answer = api.answer(method, self.path, body, key, ticket)
            if answer is None:
                self.close_connection = True
                return
            status, reply, headers = answer
            payload = PAGE if api.page_only else json.dumps(reply).encode()
            self.send_response(200 if api.page_only else status)
            for name, value in {**headers, "Content-Length": str(len(payload))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: Any) -> None:
            """Not into the tests' output."""

    def viewer(connection: ServerConnection) -> None:
        api.viewers += 1
        connection.send(BOARD)
        for _ in connection:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    with http, serve(viewer, "127.0.0.1", 0) as websocket:
        api.base_url = f"http://127.0.0.1:{http.server_address[1]}"
        api.ws_url = f"ws://127.0.0.1:{websocket.socket.getsockname()[1]}/ws"
        threads = [threading.Thread(target=server.serve_forever) for server in (http, websocket)]
        for thread in threads:
            thread.start()
        try:
            yield api
        finally:
            http.shutdown()
            websocket.shutdown()
            for thread in threads:
                thread.join()
