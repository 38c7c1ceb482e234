"""How long to wait after a failure that may pass."""

from __future__ import annotations

import random


class Backoff:
    """Twice as long each time up to a longest delay, with jitter, from the beginning after `reset`."""

    def __init__(self, first_seconds: float, longest_seconds: float, dice: random.Random | None = None) -> None:
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self._dice = dice or random.Random()  # noqa: S311 - jitter
        self._failures = 0

    def next_seconds(self) -> float:
        """The delay after one more failure."""
        delay = min(self._longest_seconds, self._first_seconds * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return delay * self._dice.uniform(0.5, 1.0)

    def reset(self) -> None:
        """It went well."""
        self._failures = 0
