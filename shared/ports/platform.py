"""The time, and whether what we stand on is there."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


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


class Dependency(Protocol):
    """Something that may be down."""

    @property
    def name(self) -> str:
        """`redis`, `rabbitmq`, `postgresql`."""
        ...

    def ping(self) -> None:
        """Raises Unavailable when it is."""
        ...
