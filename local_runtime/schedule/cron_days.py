"""The days a cron expression names, by the month or by the week, with L, W and #."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import date

from local_runtime.schedule.cron_fields import DAY_OF_MONTH, DAY_OF_WEEK, parse_field
from local_runtime.schedule.invalid import InvalidSchedule

# The days of a month (year, month), in order.
DayRule = Callable[[int, int], list[int]]

_SATURDAY, _SUNDAY = 7, 1
_NEAREST_WEEKDAY = re.compile(r"([0-9]{1,2})W")
_LAST_OF_MONTH = re.compile(r"([0-9A-Za-z]+?)L")
_NTH_OF_MONTH = re.compile(r"([0-9A-Za-z]+)#([1-5])")


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
