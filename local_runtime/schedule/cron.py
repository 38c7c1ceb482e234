"""`cron(minutes hours day-of-month month day-of-week year)` as EventBridge Scheduler understands it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from local_runtime.schedule.cron_days import DayRule, parse_days
from local_runtime.schedule.cron_fields import HOURS, MINUTES, MONTH, YEAR, parse_field
from local_runtime.schedule.invalid import InvalidSchedule
from local_runtime.schedule.local_time import instant_of

_FIELDS = 6


@dataclass(frozen=True, slots=True)
class Cron:
    """Local times of a zone. Times that summer time skips do not come; times that it repeats come once, the first time."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: DayRule
    months: tuple[int, ...]
    years: tuple[int, ...]
    zone: tzinfo

    def next_after(self, instant: datetime) -> datetime | None:
        """See ScheduleExpression."""
        earliest = instant.astimezone(self.zone).replace(tzinfo=None, fold=0, second=0, microsecond=0)
        for local in self._local_times(earliest):
            occurrence = instant_of(local, self.zone)
            if occurrence is not None and occurrence > instant:
                return occurrence
        return None

    def _local_times(self, earliest: datetime) -> Iterator[datetime]:
        """Every time from `earliest` on, in order."""
        for midnight in self._local_days(earliest):
            for hour in self.hours:
                if midnight + timedelta(hours=hour + 1) <= earliest:
                    continue
                for minute in self.minutes:
                    local = midnight + timedelta(hours=hour, minutes=minute)
                    if local >= earliest:
                        yield local

    def _local_days(self, earliest: datetime) -> Iterator[datetime]:
        first = (earliest.year, earliest.month, earliest.day)
        for year in self.years:
            for month in self.months if year >= earliest.year else ():
                if (year, month) < first[:2]:
                    continue
                for day in self.days(year, month):
                    if (year, month, day) >= first:
                        yield datetime(year, month, day)  # noqa: DTZ001 - local time of the schedule's zone


def parse_cron(body: str, zone: tzinfo = UTC) -> Cron:
    """Raises InvalidSchedule."""
    fields = body.split()
    if len(fields) != _FIELDS:
        supported = "six: minutes hours day-of-month month day-of-week year, e.g. cron(0 4 * * ? *)"
        raise InvalidSchedule(f"cron({body}) has {len(fields)} fields", supported)
    minutes, hours, day_of_month, month, day_of_week, year = fields
    return Cron(
        minutes=parse_field(minutes, MINUTES),
        hours=parse_field(hours, HOURS),
        days=parse_days(day_of_month, day_of_week),
        months=parse_field(month, MONTH),
        years=parse_field(year, YEAR),
        zone=zone,
    )
