"""A kept-alive connection to the API, as one player's device would hold it."""

from __future__ import annotations

import http.client
import json
import secrets
import ssl
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TRIES = 5
TIMEOUT_SECONDS = 15.0
MAX_WAIT_SECONDS = 10.0
TOO_MANY, UNAVAILABLE = 429, 503


class Unreachable(Exception):
    """The instance does not answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, JSON body (or None) and how long to wait if it says so."""

    status: int
    body: Any
    retry_after_seconds: float


class ApiClient:
    """Sends JSON; a request whose answer was lost is sent again, so updates must carry an Idempotency-Key."""

    def __init__(self, base_url: str, tls: ssl.SSLContext | None) -> None:
        self._parts = urlsplit(base_url)
        self._tls = tls
        self._connection: http.client.HTTPConnection | None = None
        self.access_token = ""

    def request(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Answer of the first try that got one; raises Unreachable."""
        sent = {"Content-Type": "application/json", **headers}
        if self.access_token:
            sent["Authorization"] = f"Bearer {self.access_token}"
        payload = None if body is None else json.dumps(body)
        for attempt in range(TRIES):
            try:
                connection = self._connect()
                connection.request(method, path, payload, sent)
                response = connection.getresponse()
                content = response.read()
            except (OSError, http.client.HTTPException) as error:
                self.close()
                failure: Exception = error
                time.sleep(0.1 * 2**attempt)
                continue
            wait = min(MAX_WAIT_SECONDS, float(response.headers.get("Retry-After") or 0))
            return Answer(response.status, json.loads(content) if content else None, wait)
        raise Unreachable(f"{self._parts.geturl()} does not answer: {failure}")

    def close(self) -> None:
        """Drop the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> http.client.HTTPConnection:
        if self._connection is None:
            host, port = self._parts.hostname or "127.0.0.1", self._parts.port
            self._connection = (
                http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=self._tls)
                if self._parts.scheme == "https"
                else http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
            )
        return self._connection


@dataclass
class SimulatedPlayer:
    """A player who is logged in, and the points that were acknowledged."""

    client: ApiClient
    user_id: str
    username: str
    acknowledged: int = 0
    due_at: float = 0.0

    @classmethod
    def join(cls, client: ApiClient, username: str) -> SimulatedPlayer:
        """Register and log in, waiting where the instance says so; raises Unreachable."""
        credentials = {"username": username, "password": secrets.token_urlsafe(18)}
        account = _patiently(client, "/api/users", credentials)
        client.access_token = _patiently(client, "/api/tokens", credentials)["accessToken"]
        return cls(client, account["userId"], username)

    def score(self, increment: int) -> tuple[int, float]:
        """Raise the score; answers the status and how long to wait before the next try."""
        answer = self.client.request(
            "POST",
            f"/api/score/{self.user_id}",
            {"increment": increment},
            **{"Idempotency-Key": secrets.token_hex(16)},
        )
        if answer.status == http.client.OK:
            self.acknowledged += increment
        return answer.status, answer.retry_after_seconds

    def shown_score(self) -> int:
        """The score that the instance shows."""
        answer = self.client.request("GET", f"/api/score/{self.user_id}?neighbours=0")
        return int(answer.body["data"]["score"]) if answer.status == http.client.OK else -1


def _patiently(client: ApiClient, path: str, body: object) -> Any:
    for _ in range(60):
        answer = client.request("POST", path, body)
        if answer.status not in (TOO_MANY, UNAVAILABLE):
            break
        time.sleep(answer.retry_after_seconds or 1.0)
    if answer.status >= http.client.BAD_REQUEST:
        raise Unreachable(f"{path} answered {answer.status}: {answer.body}")
    return answer.body["data"]
