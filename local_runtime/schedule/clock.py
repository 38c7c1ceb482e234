"""Time as the runner sees it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Protocol

# How soon a change of the machine's clock, or its waking from sleep, is noticed.
_LONGEST_WAIT_SECONDS = 30.0


class Clock(Protocol):
    """Tells the time and waits for it."""

    def now(self) -> datetime:
        """This instant, in UTC."""
        ...

    def wait(self, until: datetime | None, woken: threading.Event) -> None:
        """Return at `until` or when `woken` is set, whichever is first; earlier does no harm."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """See Clock."""
        return datetime.now(UTC)

    def wait(self, until: datetime | None, woken: threading.Event) -> None:
        """See Clock."""
        seconds = _LONGEST_WAIT_SECONDS if until is None else (until - self.now()).total_seconds()
        woken.wait(min(max(seconds, 0.0), _LONGEST_WAIT_SECONDS))
