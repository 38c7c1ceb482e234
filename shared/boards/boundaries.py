"""When the seasons of a period begin and end: the runs of a cron expression in a time zone, in ms since 1970."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from shared.boards.definition import Period

_SECOND = 1000
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def next_boundary(period: Period, after: int) -> int | None:
    """The first one later than `after`.

    As Debian's cron has it: what falls into a skipped hour comes right after it, what falls into a repeated one comes the first
    time, and what runs every hour runs in both.
    """
    return next((at for at in _boundaries(period, after) if at > after), None)


def last_boundary(period: Period, now: int) -> int:
    """The last one that is not later than `now`; 0 when there is none.

    Looked for backwards, and from there forwards: on its way back from a repeated hour the library misses the first of the two.
    """
    last = next((at for at in _boundaries(period, now + _SECOND, backwards=True) if at <= now), 0)
    while last and (following := next_boundary(period, last)) is not None and following <= now:
        last = following
    return last


def milliseconds(at: datetime) -> int:
    """Since 1970."""
    return round(at.timestamp() * _SECOND)


def instant(ms: int) -> datetime:
    """The other direction, UTC."""
    return _BEGINNING + timedelta(milliseconds=ms)


def _boundaries(period: Period, start: int, *, backwards: bool = False) -> Iterator[int]:
    from cronsim import CronSim  # most boards have none

    begin = instant(start - start % _SECOND).astimezone(ZoneInfo(period.time_zone))
    return map(milliseconds, CronSim(_with_hours(period.cron), begin, reverse=backwards))


@lru_cache(256)
def _with_hours(cron: str) -> str:
    """With the hours of `*/6` written out. Over a star the library walks in hours of UTC, and misses a change by half an
    hour.
    """
    minute, hours, *days = cron.split()
    parts = hours.split(",")
    if any(part in ("*", "*/1") for part in parts):
        return cron
    named = [",".join(map(str, range(0, 24, int(part[2:])))) if part.startswith("*/") else part for part in parts]
    return " ".join([minute, ",".join(named), *days])
