"""A kept-alive connection to the API, as one player's device would hold it."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TRIES = 5
TIMEOUT_SECONDS = 15.0
UNKNOWN_WAIT_SECONDS = 1.0


class Unreachable(Exception):
    """The instance does not answer, or not as a scoreboard would."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, JSON body (None for anything else) and how long to wait if it says so."""

    status: int
    body: Any
    retry_after_seconds: float

    @property
    def data(self) -> Any:
        """What a successful answer holds; raises Unreachable."""
        if self.status >= http.client.BAD_REQUEST or not isinstance(self.body, dict) or "data" not in self.body:
            raise Unreachable(f"the instance answered {self.status}: {self.body}")
        return self.body["data"]

    @property
    def code(self) -> str:
        """What a refusal calls itself; empty for anything else."""
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""


class ApiClient:
    """Sends JSON; a request whose answer was lost is sent again, so changes must carry an Idempotency-Key."""

    def __init__(self, base_url: str, tls: ssl.SSLContext | None) -> None:
        self._base_url = base_url
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
                return self._send(method, path, payload, sent)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                failure = error
                if attempt:  # the first time only a kept-alive connection may have ended
                    time.sleep(0.1 * 2**attempt)
        raise Unreachable(f"{self._base_url} does not answer: {failure}")

    def close(self) -> None:
        """Drop the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, method: str, path: str, payload: str | None, headers: dict[str, str]) -> Answer:
        if self._connection is None:
            self._connection = _connection(self._base_url, self._tls)
        self._connection.request(method, path, payload, headers)
        response = self._connection.getresponse()
        content = response.read()
        return Answer(response.status, _json(content), _seconds(response.headers.get("Retry-After")))


def _connection(base_url: str, tls: ssl.SSLContext | None) -> http.client.HTTPConnection:
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise Unreachable(f"{base_url} is no URL: {error}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise Unreachable(f"{base_url} is no URL that begins with http:// or https://")
    if parts.scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=tls)
    return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _seconds(retry_after: str | None) -> float:
    """0 where nothing is said; a date, which proxies may send, is not worth a clock's difference."""
    if not retry_after:
        return 0.0
    return float(retry_after) if retry_after.isdecimal() else UNKNOWN_WAIT_SECONDS
