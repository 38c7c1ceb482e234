"""A player of a simulation, who remembers what the instance acknowledged."""

from __future__ import annotations

import http.client
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from scoreboard_client import Patience, Scoreboard, ScoreboardError

from local_runtime.simulate.crew import Crew

# Longer than any window of the contract, so whoever is told to wait longer had better be told so.
MAX_WAIT_SECONDS = 120.0
MAX_TRIES_WITHOUT_ANSWER = 6
Refused = Callable[[ScoreboardError], object]


def _no_matter(_error: ScoreboardError) -> None: ...


class Unreachable(Exception):
    """The instance does not answer, or not as a scoreboard would."""


@dataclass
class SimulatedPlayer:
    """A player who is logged in, and the points that were acknowledged."""

    scoreboard: Scoreboard
    username: str
    acknowledged: int = 0

    @classmethod
    def join(cls, scoreboard: Scoreboard, username: str, crew: Crew, stop: threading.Event) -> SimulatedPlayer:
        """Register and log in, waiting where the instance says so, until `stop`; raises Unreachable."""
        password = secrets.token_urlsafe(18)
        with _answered(stop):
            account = scoreboard.register(username, password, _patience(stop))
            crew.add(account["userId"], username)
            scoreboard.log_in(username, password, _patience(stop))
        return cls(scoreboard, username)

    def score(self, increment: int, stop: threading.Event, refused: Refused = _no_matter) -> ScoreboardError | None:
        """Raise the score; what an update that may not be made was answered, None when it was accepted. Raises Unreachable.

        After an error of the server nobody knows whether the points were counted: the same update is sent until it is answered,
        and `refused` is told of each time.
        """
        with _answered(stop):
            try:
                self.scoreboard.add_points(increment, patience=_patience(stop, refused, wait_when_limited=False))
            except ScoreboardError as error:
                if error.is_temporary:
                    raise
                return error
        self.acknowledged += increment
        return None

    def shown_score(self, stop: threading.Event) -> int:
        """The score that the instance shows; raises Unreachable."""
        with _answered(stop):
            return self.scoreboard.standing(neighbours=0, patience=_patience(stop))["score"]


def _patience(stop: threading.Event, refused: Refused = _no_matter, *, wait_when_limited: bool = True) -> Patience:
    """As long as the instance answers, whatever it answers."""
    without_answer = 0

    def on_retry(error: ScoreboardError, _wait: float) -> None:
        nonlocal without_answer
        if error.status:
            refused(error)
            return
        without_answer += 1
        if without_answer == MAX_TRIES_WITHOUT_ANSWER:
            raise error

    return Patience(MAX_WAIT_SECONDS, wait_when_limited, on_retry, stop)


@contextmanager
def _answered(stop: threading.Event) -> Iterator[None]:
    """What the client has given up on ends the simulation."""
    try:
        yield
    except ScoreboardError as error:
        raise Unreachable("the simulation was ended" if stop.is_set() else _reason(error)) from error


def _reason(error: ScoreboardError) -> str:
    if error.status == 0:
        return f"the instance does not answer: {error.detail}"
    if error.status == http.client.TOO_MANY_REQUESTS and error.retry_after_seconds:
        return f"the instance asks to come again in {error.retry_after_seconds:.0f} s"
    return f"the instance answered {error}"
