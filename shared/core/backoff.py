"""How long to wait after failures that may pass."""

from __future__ import annotations

import random


def doubled(first_seconds: float, longest_seconds: float, failures: int) -> float:
    """`first_seconds`, twice as long for each of `failures` that came before this one, up to `longest_seconds`."""
    return min(longest_seconds, first_seconds * 2.0 ** min(failures, 16))


class Backoff:
    """Twice as long each time up to a longest delay, with jitter, from the beginning after `reset`."""

    def __init__(self, first_seconds: float, longest_seconds: float, dice: random.Random | None = None) -> None:
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self._dice = dice or random.Random()  # noqa: S311 - jitter
        self._failures = 0

    def next_seconds(self) -> float:
        """The delay after one more failure."""
        delay = doubled(self._first_seconds, self._longest_seconds, self._failures)
        self._failures += 1
        return delay * self._dice.uniform(0.5, 1.0)

    def reset(self) -> None:
        """It went well."""
        self._failures = 0
