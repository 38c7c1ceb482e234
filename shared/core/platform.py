"""The time, and where long computations run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """The instant, UTC, with its zone."""
        ...

    def monotonic(self) -> float:
        """Seconds for measuring durations: what nobody can set back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Offload(Protocol):
    """Where a long computation runs, so that other requests of the process need not wait for it."""

    def __call__(self, call: Callable[[], T], /) -> T:
        """What `call` answers, when it has."""
        ...
