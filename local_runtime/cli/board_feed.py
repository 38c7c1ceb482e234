"""One viewer's connection, made again whenever it is lost."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

OPEN_SECONDS, CLOSE_SECONDS = 5.0, 1.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 5.0


class NotNow(Exception):
    """There is nowhere to connect to at present."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where to connect, with a ticket that is good once."""

    url: str
    tls: ssl.SSLContext | None


class Feed:
    """The frames of the board; `place` is asked before each connection, and may raise NotNow."""

    def __init__(self, place: Callable[[], Place]) -> None:
        self._place = place
        self._connection: ClientConnection | None = None
        self._pause_seconds = FIRST_PAUSE_SECONDS
        self._connects_at = 0.0
        self._connected = 0

    @property
    def is_connected(self) -> bool:
        """Whether frames come."""
        return self._connection is not None

    @property
    def reconnects(self) -> int:
        """How often the connection was made again."""
        return max(0, self._connected - 1)

    def frame(self, seconds: float) -> dict[str, Any] | None:
        """The next one; None when there is none for so long."""
        ends_at = time.monotonic() + seconds
        try:
            if self._connection is None:
                self._connect(ends_at)
            if self._connection is None:
                return None
            text = self._connection.recv(timeout=max(0.0, ends_at - time.monotonic()))
            document = json.loads(text)
        except TimeoutError:
            return None
        except (OSError, WebSocketException, NotNow, ValueError):
            self._lost()
            return None
        return document if isinstance(document, dict) and document.get("type") == "leaderboard" else None

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self, ends_at: float) -> None:
        now = time.monotonic()
        if now < self._connects_at:
            time.sleep(max(0.0, min(self._connects_at, ends_at) - now))
            return
        place = self._place()
        try:
            self._connection = connect(
                place.url, ssl=place.tls, proxy=None, open_timeout=OPEN_SECONDS, close_timeout=CLOSE_SECONDS
            )
        except TimeoutError as error:
            raise NotNow from error
        self._connected += 1
        self._pause_seconds = FIRST_PAUSE_SECONDS

    def _lost(self) -> None:
        self.close()
        self._connects_at = time.monotonic() + self._pause_seconds
        self._pause_seconds = min(2 * self._pause_seconds, LONGEST_PAUSE_SECONDS)
