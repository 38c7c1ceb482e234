"""The time, and where long computations run."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event
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


class SystemClock:
    """The system's clock, in UTC."""

    def now(self) -> datetime:
        """The instant, with its zone."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some instant; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def wait(self, woken: Event, seconds: float) -> None:
        """Until it is set, or for so long."""
        woken.wait(seconds)


def utc_text(at: datetime) -> str:
    """An instant as the API writes it: RFC 3339, milliseconds, `Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
