"""A player of a simulation, who remembers what the instance acknowledged."""

from __future__ import annotations

import http.client
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from local_runtime.simulate.client import Answer, ApiClient, Unreachable

MAX_TRIES = 60
TICKET_TRIES = 3
# Longer than any window of the contract, so whoever is told to wait longer had better be told so.
MAX_WAIT_SECONDS = 120.0
DEFAULT_WAIT_SECONDS = 1.0
_WANTS_TICKET = ("ticket_required", "invalid_action_ticket")
_COME_AGAIN = (http.client.TOO_MANY_REQUESTS, http.client.SERVICE_UNAVAILABLE, http.client.GATEWAY_TIMEOUT)


@dataclass
class SimulatedPlayer:
    """A player who is logged in, and the points that were acknowledged."""

    client: ApiClient
    user_id: str
    username: str
    password: str = field(repr=False)
    acknowledged: int = 0
    _unanswered: tuple[int, str] | None = None
    _needs_ticket: bool = False
    _ticket: str | None = field(default=None, repr=False)

    @classmethod
    def join(cls, client: ApiClient, username: str, over: threading.Event) -> SimulatedPlayer:
        """Register and log in, waiting where the instance says so, until `over`; raises Unreachable."""
        password = secrets.token_urlsafe(18)
        account = _patiently(client, "POST", "/api/users", {"username": username, "password": password}, over).data
        player = cls(client, account["userId"], username, password)
        player.log_in(over)
        return player

    def log_in(self, over: threading.Event) -> None:
        """Get a token for the client; raises Unreachable."""
        credentials = {"username": self.username, "password": self.password}
        self.client.access_token = _patiently(self.client, "POST", "/api/tokens", credentials, over).data["accessToken"]

    def score(self, increment: int, over: threading.Event, sent: Callable[[int], object] = lambda _score: None) -> Answer:
        """Raise the score; `sent` is told beforehand which it will be. Raises Unreachable.

        After an error of the server nobody knows whether the points were counted: the same update is sent again the next time.
        """
        increment, key = self._unanswered or (increment, secrets.token_hex(16))
        self._unanswered = (increment, key)
        sent(self.acknowledged + increment)
        answer = self._send(increment, key)
        if answer.status == http.client.UNAUTHORIZED:
            self.log_in(over)
            answer = self._send(increment, key)
        if answer.status < http.client.INTERNAL_SERVER_ERROR:
            self._unanswered = self._ticket = None
        if answer.status == http.client.OK:
            self.acknowledged += increment
        return answer

    def shown_score(self, over: threading.Event) -> int:
        """The score that the instance shows, when the last update is settled, too; raises Unreachable."""
        for _ in range(MAX_TRIES):
            if self._unanswered is None:
                break
            answer = self.score(0, over)
            if self._unanswered is not None:
                _wait(answer.retry_after_seconds, over)
        return int(_patiently(self.client, "GET", f"/api/score/{self.user_id}?neighbours=0", None, over).data["score"])

    def _send(self, increment: int, key: str) -> Answer:
        """With an action ticket where the instance wants one: the same one again, until it is said to be no good any more."""
        path, headers = f"/api/score/{self.user_id}", {"Idempotency-Key": key}
        for _ in range(TICKET_TRIES):
            if self._needs_ticket and self._ticket is None:
                issued = self.client.request("POST", f"{path}/tickets")
                if issued.status != http.client.CREATED:
                    return issued
                self._ticket = issued.data["ticket"]
            if self._ticket is not None:
                headers["X-Action-Ticket"] = self._ticket
            answer = self.client.request("POST", path, {"increment": increment}, **headers)
            if answer.code not in _WANTS_TICKET:
                break
            self._needs_ticket, self._ticket = True, None
        return answer


def _patiently(client: ApiClient, method: str, path: str, body: object, over: threading.Event) -> Answer:
    key = secrets.token_hex(16)
    for _ in range(MAX_TRIES):
        answer = client.request(method, path, body, **{"Idempotency-Key": key})
        if answer.status not in _COME_AGAIN:
            break
        _wait(answer.retry_after_seconds, over)
    return answer


def _wait(seconds: float, over: threading.Event) -> None:
    if seconds > MAX_WAIT_SECONDS:
        raise Unreachable(f"the instance asks to come again in {seconds:.0f} s")
    if over.wait(seconds or DEFAULT_WAIT_SECONDS):
        raise Unreachable("the simulation was ended")
