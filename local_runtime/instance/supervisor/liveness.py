"""Whether a process that once served goes on answering: one may be there and do nothing any more."""

from __future__ import annotations

from collections.abc import Callable

ASK_SECONDS = 10.0
LISTEN_SECONDS = 0.25
AWAKE_SECONDS = 1.0  # between two looks; what is beyond it the asker slept, or had not asked yet
PATIENCE_SECONDS = 60.0  # a long pause of a server (a slow disk, a command on millions of members) is no death


class Liveness:
    """Asks now and then; only the time in which the asker itself was awake counts against the process."""

    def __init__(self, answers: Callable[[], bool], now: float) -> None:
        self._answers = answers
        self._looked_at = now
        self._silent_seconds = 0.0
        self.look_at = now + ASK_SECONDS

    def is_lost(self, now: float) -> bool:
        """Look, if it is time; True when there was no answer for PATIENCE_SECONDS."""
        if now < self.look_at:
            return False
        if self._answers():
            self._silent_seconds = 0.0
            self.look_at = now + ASK_SECONDS
        else:
            self._silent_seconds += min(now - self._looked_at, AWAKE_SECONDS)
            self.look_at = now + LISTEN_SECONDS
        self._looked_at = now
        return self._silent_seconds > PATIENCE_SECONDS
