"""`rate(value unit)`: every so many minutes, hours or days of 24 hours, whatever the clocks on the wall do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from local_runtime.schedule.invalid import InvalidSchedule

_FORM = re.compile(r"([1-9][0-9]{0,5}) (minute|hour|day)(s?)")
_SUPPORTED = "rate(1 minute), rate(5 minutes), rate(1 hour), rate(2 hours), rate(1 day), rate(7 days)"


@dataclass(frozen=True, slots=True)
class Rate:
    """Every `period`, counted from `starts_at`."""

    period: timedelta
    starts_at: datetime

    def next_after(self, instant: datetime) -> datetime | None:
        """See ScheduleExpression."""
        passed = (instant - self.starts_at) // self.period
        try:
            return (self.starts_at + max(1, passed + 1) * self.period).astimezone(UTC)
        except OverflowError:
            return None


def parse_rate(body: str, starts_at: datetime) -> Rate:
    """Raises InvalidSchedule; a value of 1 goes with the singular, any other with the plural."""
    match = _FORM.fullmatch(body)
    if match is None:
        raise InvalidSchedule(f"rate({body}) is no rate", _SUPPORTED)
    value, unit, plural = int(match[1]), match[2], bool(match[3])
    if plural != (value != 1):
        raise InvalidSchedule(f"rate({body}) should be rate({value} {unit}{'' if plural else 's'})", _SUPPORTED)
    return Rate(timedelta(**{f"{unit}s": value}), starts_at)
