"""Reads `rate(...)`, `cron(...)` and `at(...)` in a time zone, as Amazon EventBridge Scheduler understands them."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo

_RATE = re.compile(r"([1-9][0-9]{0,5}) (minute|hour|day)(s?)")
_SUPPORTED = "rate(1 minute), rate(5 minutes), rate(1 hour), rate(2 hours), rate(1 day), rate(7 days)"
# The days of a month (year, month), in order.
DayRule = Callable[[int, int], list[int]]
_SATURDAY, _SUNDAY = 7, 1
_NEAREST_WEEKDAY = re.compile(r"([0-9]{1,2})W")
_LAST_OF_MONTH = re.compile(r"([0-9A-Za-z]+?)L")
_NTH_OF_MONTH = re.compile(r"([0-9A-Za-z]+)#([1-5])")
_FIELDS = 6
_FORM = re.compile(r"(rate|cron|at)\((.*)\)", re.DOTALL)
_AT_FORM = "%Y-%m-%dT%H:%M:%S"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class InvalidSchedule(ValueError):
    """The expression or its time zone cannot be used; `supported` says what could stand there."""

    def __init__(self, message: str, supported: str = "") -> None:
        super().__init__(message)
        self.supported = supported


def instant_of(local: datetime, zone: tzinfo) -> datetime | None:
    """The instant of a naive local time: None when the clocks skip it, the first of the two when they repeat it."""
    try:
        instant = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
        exists = instant.astimezone(zone).replace(tzinfo=None, fold=0) == local
    except OverflowError:
        return None
    return instant if exists else None


@dataclass(frozen=True, slots=True)
class OneTime:
    """`at(...)`: one local time, and never again."""

    local: datetime
    zone: tzinfo

    def next_after(self, instant: datetime) -> datetime | None:
        """See ScheduleExpression."""
        occurrence = instant_of(self.local, self.zone)
        return occurrence if occurrence is not None and occurrence > instant else None


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
    match = _RATE.fullmatch(body)
    if match is None:
        raise InvalidSchedule(f"rate({body}) is no rate", _SUPPORTED)
    value, unit, plural = int(match[1]), match[2], bool(match[3])
    if plural != (value != 1):
        raise InvalidSchedule(f"rate({body}) should be rate({value} {unit}{'' if plural else 's'})", _SUPPORTED)
    return Rate(timedelta(**{f"{unit}s": value}), starts_at)


@dataclass(frozen=True, slots=True)
class FieldForm:
    """What may stand in a field: its limits, and names for the numbers from `low` on."""

    name: str
    low: int
    high: int
    names: Sequence[str] = ()

    @property
    def supported(self) -> str:
        """For error messages."""
        names = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        return f"{self.low}-{self.high}{names} with , - * /"

    def number(self, text: str) -> int:
        """A number of this field or a name for one. Raises InvalidSchedule."""
        if text.upper() in self.names:
            return self.low + list(self.names).index(text.upper())
        if text.isascii() and text.isdigit() and self.low <= int(text) <= self.high:
            return int(text)
        raise self.wrong(text)

    def wrong(self, text: str) -> InvalidSchedule:
        """The error for a text that cannot stand in this field."""
        return InvalidSchedule(f"cron: {text!r} cannot be {self.name}", self.supported)


MINUTES = FieldForm("minutes", 0, 59)
HOURS = FieldForm("hours", 0, 23)
DAY_OF_MONTH = FieldForm("day of month", 1, 31)
MONTH = FieldForm("month", 1, 12, ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"))
DAY_OF_WEEK = FieldForm("day of week", 1, 7, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))
YEAR = FieldForm("year", 1970, 2199)


def parse_field(text: str, form: FieldForm) -> tuple[int, ...]:
    """The numbers a field stands for, in order. Raises InvalidSchedule."""
    return tuple(sorted({number for item in text.split(",") for number in _item(item, form)}))


def _item(text: str, form: FieldForm) -> range:
    base, slash, step_text = text.partition("/")
    first, dash, last = base.partition("-")
    if base == "*":
        low, high = form.low, form.high
    else:
        low = form.number(first)
        # A single number with a step goes on to the end of the field.
        high = form.number(last) if dash else form.high if slash else low
    step = 1
    if slash:
        if not (step_text.isascii() and step_text.isdigit() and 1 <= int(step_text) <= form.high):
            raise form.wrong(text)
        step = int(step_text)
    if low > high:
        raise form.wrong(text)
    return range(low, high + 1, step)


def parse_days(day_of_month: str, day_of_week: str) -> DayRule:
    """The rule of both fields, of which exactly one is `?`. Raises InvalidSchedule."""
    if (day_of_month == "?") == (day_of_week == "?"):
        raise InvalidSchedule("cron: exactly one of day of month and day of week is ?", "cron(0 4 * * ? *), cron(0 4 ? * MON *)")
    return _by_month(day_of_month) if day_of_week == "?" else _by_week(day_of_week)


def _by_month(text: str) -> DayRule:
    if text == "L":
        return lambda year, month: [_last(year, month)]
    if text == "LW":
        return lambda year, month: [_nearest_weekday(year, month, _last(year, month))]
    if match := _NEAREST_WEEKDAY.fullmatch(text):
        wanted = DAY_OF_MONTH.number(match[1])
        # A month that has no such day is left out, as it is without the W.
        return lambda year, month: [_nearest_weekday(year, month, wanted)] if wanted <= _last(year, month) else []
    days = parse_field(text, DAY_OF_MONTH)
    return lambda year, month: [day for day in days if day <= _last(year, month)]


def _by_week(text: str) -> DayRule:
    if text.upper() == "L":
        text = "SAT"  # the last day of the week
    if match := _NTH_OF_MONTH.fullmatch(text):
        weekday, nth = DAY_OF_WEEK.number(match[1]), int(match[2])
        return lambda year, month: _all_of(year, month, weekday)[nth - 1 : nth]
    if match := _LAST_OF_MONTH.fullmatch(text):
        weekday = DAY_OF_WEEK.number(match[1])
        return lambda year, month: _all_of(year, month, weekday)[-1:]
    weekdays = parse_field(text, DAY_OF_WEEK)
    return lambda year, month: sorted(day for weekday in weekdays for day in _all_of(year, month, weekday))


def _last(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


def _weekday(year: int, month: int, day: int) -> int:
    """1 is Sunday, 7 is Saturday."""
    return date(year, month, day).isoweekday() % 7 + 1


def _all_of(year: int, month: int, weekday: int) -> list[int]:
    first = 1 + (weekday - _weekday(year, month, 1)) % 7
    return list(range(first, _last(year, month) + 1, 7))


def _nearest_weekday(year: int, month: int, day: int) -> int:
    """Monday to Friday nearest to the day, without leaving the month."""
    weekday = _weekday(year, month, day)
    if weekday == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == _SUNDAY:
        return day + 1 if day < _last(year, month) else day - 2
    return day


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
