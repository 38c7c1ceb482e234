"""The real time, behind the port."""

from __future__ import annotations

import time
from datetime import UTC, datetime


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


def utc_text(at: datetime) -> str:
    """An instant as the API writes it: RFC 3339, milliseconds, `Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
