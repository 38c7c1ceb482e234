"""Waiting for something to become true, with a deadline instead of a sleep."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(probe: Callable[[], T], seconds: float = 60.0, what: str = "condition") -> T:
    """Ask `probe` until its answer is truthy and give it back; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s (last answer: {answer!r})"
        time.sleep(0.02)
