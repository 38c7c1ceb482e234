"""Viewers whose sockets an AppSync Events API holds: one publish reaches them all."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Collection
from datetime import datetime
from http import HTTPStatus
from typing import Any

from shared.accounts.player import Caller
from shared.core.backoff import doubled
from shared.core.errors import ViewersUnavailable
from shared.core.logs import get_logger
from shared.stores.aws.http import SignedHttp
from shared.stores.redis.connection import translated
from shared.viewers.frame import measure_lag
from shared.viewers.frames_redis import Frames, ReadBoard
from shared.viewers.ports import Delivery, ViewerSweep

BROADCAST_SECONDS = 20.0
FIRST_RETRY_SECONDS = 0.1
LONGEST_RETRY_SECONDS = 3.0
NO_ANSWER = 0
_WORTH_ANOTHER_TRY = (NO_ANSWER, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_log = get_logger(__name__)


class EventsApi:
    """The HTTP endpoint of an AppSync Events API; its URL ends in /event.

    Without an API key requests are signed with the role's credentials.
    """

    def __init__(self, url: str, channel: str, api_key: str = "") -> None:
        self._channel = channel
        self._headers = {"content-type": "application/json"} | ({"x-api-key": api_key} if api_key else {})
        self._http = SignedHttp(url, "" if api_key else "appsync")

    def publish(self, text: str) -> int:
        """The status; that of a server error where AppSync took the request but not the event, NO_ANSWER for none."""
        body = json.dumps({"channel": self._channel, "events": [text]}).encode()
        try:
            status, answer = self._http.send("POST", "", body, self._headers)
        except OSError:
            return NO_ANSWER
        return HTTPStatus.BAD_GATEWAY if status == HTTPStatus.OK and _failed(answer) else status

    def close(self) -> None:
        """End all connections."""
        self._http.close()


class AppSyncViewers:
    """The port Viewers. AppSync knows who is connected; newcomers ask for the board by HTTP, as nothing is kept for them."""

    def __init__(
        self,
        frames: Frames,
        api: EventsApi,
        *,
        seconds: float = BROADCAST_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._frames = frames
        self._api = api
        self._seconds = seconds
        self._monotonic = monotonic
        self._sleep = sleep

    def welcome(self, connection_id: str, ends_at: datetime) -> bool:
        """Nobody comes to the WebSocket API who is to be sent anything."""
        raise ViewersUnavailable

    def know(self, connection_id: str, caller: Caller, *, hears_broadcast: bool) -> None:
        """Nobody comes here."""

    def dismiss(self, user_id: str, session_ids: Collection[str], at: datetime) -> None:
        """AppSync closes nobody's connection for us: who has subscribed may listen on, for 24 hours at most."""

    def dismiss_all(self, user_id: str, at: datetime) -> None:
        """The same."""

    def farewell(self, connection_id: str) -> None:
        """Nothing to forget."""

    @translated()
    def broadcast(self, read_board: ReadBoard, accepted_at: datetime | None = None) -> Delivery:
        """Publish the board, unless this state of it went out already; after a failure the newest there is by then."""
        until, failures = self._monotonic() + self._seconds, 0
        frame = self._frames.read_after_now(read_board)
        while not self._frames.is_sent(frame):
            status = self._api.publish(frame.text.decode())
            if status == HTTPStatus.OK:
                self._frames.sent(frame)
                break
            _log.warning("a frame could not be published", extra={"status": status})
            if status not in _WORTH_ANOTHER_TRY and status < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise ViewersUnavailable
            delay = doubled(FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS, failures) * random.uniform(0.5, 1)  # noqa: S311
            if self._monotonic() + delay >= until:
                return Delivery(frame.version, is_complete=False)
            self._sleep(delay)
            failures += 1
            self._frames.refresh(read_board)
            frame = self._frames.newest()
        measure_lag(accepted_at)
        return Delivery(frame.version)

    @translated()
    def sweep(self) -> ViewerSweep:
        """Nobody to drop, but a frame may have been left by a crash."""
        return ViewerSweep(is_behind=not self._frames.is_sent(self._frames.newest()))

    def close(self) -> None:
        """End the connections to AppSync."""
        self._api.close()


def _failed(answer: bytes) -> Any:
    """The events that were not taken."""
    try:
        return json.loads(answer).get("failed")
    except (ValueError, AttributeError):
        return answer
