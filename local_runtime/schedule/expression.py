"""Reads `rate(...)`, `cron(...)` and `at(...)` in a time zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo

from local_runtime.schedule.cron import parse_cron
from local_runtime.schedule.invalid import InvalidSchedule
from local_runtime.schedule.local_time import OneTime
from local_runtime.schedule.rate import parse_rate

_FORM = re.compile(r"(rate|cron|at)\((.*)\)", re.DOTALL)
_AT_FORM = "%Y-%m-%dT%H:%M:%S"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ScheduleExpression(Protocol):
    """When a schedule comes."""

    def next_after(self, instant: datetime) -> datetime | None:
        """The first occurrence strictly after an aware instant, in UTC; None when there is no more."""
        ...


def parse_schedule(expression: str, time_zone: str, starts_at: datetime = EPOCH) -> ScheduleExpression:
    """Raises InvalidSchedule. A rate counts its periods from `starts_at`; nothing else looks at it."""
    zone = _zone(time_zone)
    match = _FORM.fullmatch(expression)
    if match is None:
        raise InvalidSchedule(f"{expression!r} is no schedule", "rate(value unit), cron(six fields), at(yyyy-mm-ddThh:mm:ss)")
    kind, body = match.groups()
    if kind == "rate":
        return parse_rate(body, starts_at)
    return parse_cron(body, zone) if kind == "cron" else _parse_at(body, zone)


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC  # needs no time zone database
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # an empty name, a directory, ../.., and at last: not found
        raise InvalidSchedule(f"there is no time zone {name!r}", "names of the IANA database, e.g. Europe/Berlin") from None


def _parse_at(body: str, zone: tzinfo) -> OneTime:
    try:
        return OneTime(datetime.strptime(body, _AT_FORM), zone)  # noqa: DTZ007 - local time of the schedule's zone
    except ValueError:
        raise InvalidSchedule(f"at({body}) is no local time", "at(yyyy-mm-ddThh:mm:ss)") from None
