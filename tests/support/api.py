"""Raw requests and WebSockets, right and wrong ones: tests look at status, headers and bytes. Clients are scoreboard_client's."""

from __future__ import annotations

import http.client
import json
import secrets
import ssl
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from scoreboard_client import Scoreboard
from websockets.sync.client import ClientConnection, connect

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (as sent) and body of a reply."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        """The `data` member of a successful reply."""
        assert self.status < 300, (self.status, self.body)
        return self.json["data"]


@dataclass
class Api:
    """One base URL, a fresh connection a request, so that a killed worker never leaves a stale one behind."""

    base_url: str
    tls: ssl.SSLContext | None = None
    headers: dict[str, str] = field(default_factory=dict)
    timeout_seconds: float = 60.0
    ws_url: str = ""  # where WebSockets are not at the base URL's host

    def request(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Answer:
        """Send one request; `body` is sent as JSON unless it is bytes."""
        parts = urlsplit(self.base_url)
        assert parts.hostname
        connection = (
            http.client.HTTPSConnection(parts.hostname, parts.port, timeout=self.timeout_seconds, context=self.tls)
            if parts.scheme == "https"
            else http.client.HTTPConnection(parts.hostname, parts.port, timeout=self.timeout_seconds)
        )
        sent = {**self.headers, **(headers or {})}
        payload = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if payload is not None:
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, payload, sent)
            response = connection.getresponse()
            return Answer(response.status, response.msg, response.read())
        finally:
            connection.close()

    def websocket_url(self, path: str = "/ws") -> str:
        """Where viewers connect; on API Gateway that is one URL of its own, and only the query counts."""
        query = "".join(path.partition("?")[1:])
        return self.ws_url + query if self.ws_url else self.base_url.replace("http", "ws", 1) + path

    def get(self, path: str, **headers: str) -> Answer:
        """GET."""
        return self.request("GET", path, headers=headers)

    def post(self, path: str, body: object = None, headers: dict[str, str] | None = None) -> Answer:
        """POST."""
        return self.request("POST", path, body, headers)

    def new_player(self, username: str | None = None) -> Player:
        """Register and log in."""
        username = username or f"player-{secrets.token_hex(6)}"
        account = self.post("/api/users", {"username": username, "password": PASSWORD}).data
        tokens = self.post("/api/tokens", {"username": username, "password": PASSWORD}).data
        return Player(self, account["userId"], username, account["apiKey"], tokens["accessToken"], tokens["refreshToken"])


@dataclass
class Player:
    """A registered player who is logged in."""

    api: Api
    user_id: str
    username: str
    api_key: str
    access_token: str
    refresh_token: str

    @property
    def authorization(self) -> dict[str, str]:
        """The header that says who this is."""
        return {"Authorization": f"Bearer {self.access_token}"}

    def score(self, increment: object = 1, **headers: str) -> Answer:
        """Raise the player's score."""
        return self.api.post(f"/api/score/{self.user_id}", {"increment": increment}, {**self.authorization, **headers})

    def get(self, path: str) -> Answer:
        """GET with the player's token."""
        return self.api.request("GET", path, headers=self.authorization)

    def standing(self) -> Any:
        """The player's own place on the board."""
        return self.get(f"/api/score/{self.user_id}").data

    def add_points(self, increment: int) -> str:
        """Raise the score as a client does, which waits when it is told to; answers the request id."""
        with closing(Scoreboard(self.api.base_url, tls=self.api.tls, get_access_token=lambda: self.access_token)) as scoreboard:
            return scoreboard.add_points(increment)["requestId"]

    def climb(self, rank: int = 5) -> int:
        """Score until the player is among the first `rank` of a board that other tests play on, too; answers the score."""
        receipt = self.score(5).data
        for _ in range(80):
            if receipt["rank"] <= rank:
                return int(receipt["score"])
            receipt = self.score(5).data
        raise AssertionError(f"still only rank {receipt['rank']}")

    def watch(self, path: str = "/ws") -> ClientConnection:
        """A WebSocket authenticated by the token; use it as a context manager."""
        return connect(
            self.api.websocket_url(path), additional_headers=self.authorization, ssl=self.api.tls, open_timeout=30, proxy=None
        )


def frame_with(viewer: ClientConnection, user_id: str, score: int, seconds: float = 60.0) -> dict[str, Any]:
    """Receive until a frame shows this player with this score."""
    import time

    deadline = time.monotonic() + seconds
    while True:
        frame: dict[str, Any] = json.loads(viewer.recv(timeout=max(0.01, deadline - time.monotonic())))
        if any(line["userId"] == user_id and line["score"] == score for line in frame["data"]):
            return frame


def problem(answer: Answer) -> tuple[int, str]:
    """Check that it is a whole problem document and give back status and code."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    document = answer.json
    assert {"type", "title", "status", "code", "detail", "requestId"} <= set(document)
    assert document["status"] == answer.status
    assert document["requestId"] == answer.headers["X-Request-Id"]
    assert "Traceback" not in answer.body.decode()
    return answer.status, document["code"]
