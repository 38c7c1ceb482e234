"""When a failed delivery is tried again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from local_runtime.manifest import Schedule

_FIRST_DELAY_SECONDS = 5.0
_LONGEST_DELAY_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubling delays from 5 s to 15 min, each shortened by up to a half; `jitter` answers 0 to 1.

    Lambda accepts a schedule's event at once and tries a failing handler twice more by itself, whatever the RetryPolicy says.
    Here delivering and running are one, so the RetryPolicy stands for both.
    """

    jitter: Callable[[], float]

    def next_try_at(self, schedule: Schedule, scheduled_at: datetime, failed_attempt: int, now: datetime) -> datetime | None:
        """None when the attempts are used up, or the event would be too old by then."""
        if failed_attempt > schedule.maximum_retry_attempts:
            return None
        delay_seconds = min(_FIRST_DELAY_SECONDS * 2 ** min(failed_attempt - 1, 20), _LONGEST_DELAY_SECONDS)
        at = now + timedelta(seconds=delay_seconds * (1 - self.jitter() / 2))
        return at if at - scheduled_at <= timedelta(seconds=schedule.maximum_event_age_seconds) else None
