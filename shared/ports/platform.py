"""The time, and where long computations run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

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


class Leases(Protocol):
    """What only one holder at a time may do, until when, by the clock of the store (PostgreSQL)."""

    def hold(
        self,
        names: Sequence[str],
        holder: str,
        seconds: float,
        *,
        successor_of: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> dict[str, int]:
        """Take or renew those that are free, the holder's, or its predecessor's; answer them with their fencing numbers.

        A number rises when its lease is taken anew, also by the same holder after it has expired.
        """
        ...

    def release(self, names: Sequence[str], holder: str) -> None:
        """Let go of those that the holder has; another may take them at once."""
        ...

    def holders(self, names: Sequence[str]) -> dict[str, str]:
        """Who has these now; those that are free are absent."""
        ...

    def details_of_others(self, holders: Sequence[str]) -> list[Mapping[str, Any]]:
        """What holders other than these say of themselves, as long as they have a lease."""
        ...


class Offload(Protocol):
    """Where a long computation runs, so that other requests of the process need not wait for it."""

    def __call__(self, call: Callable[[], T], /) -> T:
        """What `call` answers, when it has."""
        ...
