"""cron() against a second, much simpler way to say the same: look at every minute."""

from __future__ import annotations

import calendar
import functools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_runtime.hosting.schedule import InvalidSchedule, parse_schedule

NAMES_OF_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
NAMES_OF_MONTHS = tuple(name.upper() for name in calendar.month_abbr if name)


def next_after(expression: str, text: str, zone: str = "UTC") -> str | None:
    found = parse_schedule(expression, zone).next_after(datetime.fromisoformat(text).replace(tzinfo=UTC))
    return found.strftime("%Y-%m-%dT%H:%M") if found else None


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("cron(0 4 * * ? *)", "2026-11-23T04:00", "2026-11-24T04:00"),
        ("cron(0 4 * * ? *)", "2026-11-23T03:59:59.999", "2026-11-23T04:00"),
        ("cron(15 12 * * ? *)", "2026-12-31T12:15", "2027-01-01T12:15"),
        ("cron(0 18 ? * MON-FRI *)", "2026-11-20T18:00", "2026-11-23T18:00"),
        ("cron(0 8 1 * ? *)", "2026-11-23T00:00", "2026-12-01T08:00"),
        ("cron(1/10 * * * ? *)", "2026-11-23T10:02", "2026-11-23T10:11"),
        ("cron(0/15 9-17 ? * 2-6 *)", "2026-11-20T17:45", "2026-11-23T09:00"),
        ("cron(0 10 L * ? *)", "2026-02-01T00:00", "2026-02-28T10:00"),
        ("cron(0 10 L 2 ? *)", "2026-03-01T00:00", "2027-02-28T10:00"),
        ("cron(0 10 LW * ? *)", "2026-05-01T00:00", "2026-05-29T10:00"),
        ("cron(0 10 1W * ? *)", "2026-08-01T00:00", "2026-08-03T10:00"),
        ("cron(0 10 15W * ? *)", "2026-08-01T00:00", "2026-08-14T10:00"),
        ("cron(0 10 31W * ? *)", "2026-05-01T00:00", "2026-05-29T10:00"),
        ("cron(0 10 31W * ? *)", "2026-06-01T00:00", "2026-07-31T10:00"),
        ("cron(0 10 ? * 6L *)", "2026-11-01T00:00", "2026-11-27T10:00"),
        ("cron(0 10 ? * FRIL *)", "2026-11-01T00:00", "2026-11-27T10:00"),
        ("cron(0 10 ? * L *)", "2026-11-23T00:00", "2026-11-28T10:00"),
        ("cron(0 10 ? * 3#2 *)", "2026-11-01T00:00", "2026-11-10T10:00"),
        ("cron(0 10 ? * TUE#5 *)", "2026-11-01T00:00", "2026-12-29T10:00"),
        ("cron(0 0 29 2 ? *)", "2026-01-01T00:00", "2028-02-29T00:00"),
        ("cron(0 0 1 1 ? 2199)", "2026-01-01T00:00", "2199-01-01T00:00"),
        ("cron(0 0 1 1 ? 2020)", "2026-01-01T00:00", None),
        ("cron(0 0 30 2 ? *)", "2026-01-01T00:00", None),
        ("at(2030-01-01T12:00:00)", "2026-01-01T00:00", "2030-01-01T12:00"),
        ("at(2030-01-01T12:00:00)", "2030-01-01T12:00", None),
    ],
)
def test_the_next_occurrence(expression: str, after: str, expected: str | None) -> None:
    assert next_after(expression, after) == expected


def test_a_time_that_summer_time_skips_does_not_come() -> None:
    # In Berlin 02:30 did not exist on 29 March 2026.
    assert next_after("cron(30 2 * * ? *)", "2026-03-28T12:00", "Europe/Berlin") == "2026-03-30T00:30"


def test_a_time_that_the_end_of_summer_time_repeats_comes_once() -> None:
    # In Berlin 02:30 came at 00:30 UTC and again at 01:30 UTC on 25 October 2026.
    assert next_after("cron(30 2 * * ? *)", "2026-10-24T12:00", "Europe/Berlin") == "2026-10-25T00:30"
    assert next_after("cron(30 2 * * ? *)", "2026-10-25T00:30", "Europe/Berlin") == "2026-10-26T01:30"


@pytest.mark.parametrize(
    "body",
    [
        "* * * * * *",
        "* * ? * ? *",
        "0 4 1 * MON *",
        "60 4 * * ? *",
        "0 24 * * ? *",
        "0 4 0 * ? *",
        "0 4 32 * ? *",
        "0 4 * 13 ? *",
        "0 4 ? * 8 *",
        "0 4 ? * 0 *",
        "0 4 * * ? 1969",
        "0 4 * * ? 2200",
        "0/0 4 * * ? *",
        "/5 4 * * ? *",
        "5-1 4 * * ? *",
        "1- 4 * * ? *",
        ", 4 * * ? *",
        "a 4 * * ? *",
        "? 4 * * ? *",
        "0 4 L,1 * ? *",
        "0 4 1W,2W * ? *",
        "0 4 32W * ? *",
        "0 4 W * ? *",
        "0 4 ? * 3#6 *",
        "0 4 ? * 3#1,6#3 *",
        "0 4 ? * 9L *",
        "0 4 * FEB-JAN ? *",
        "0 4 * FOO ? *",
        "٣ 4 * * ? *",
        "0 4 * * ?",
        "0 4 * * ? * *",
        "",
    ],
)
def test_what_eventbridge_refuses_is_refused(body: str) -> None:
    with pytest.raises(InvalidSchedule):
        parse_schedule(f"cron({body})", "UTC")


# The oracle: does this minute of the wall clock belong to the schedule?


@functools.cache
def _numbers(field: str, low: int, high: int, names: tuple[str, ...] = ()) -> set[int]:
    found: set[int] = set()
    for item in field.split(","):
        base, _, step = item.partition("/")
        ends = [names.index(end) + low if end in names else end for end in base.split("-")]
        if base == "*":
            first, last = low, high
        else:
            first = int(ends[0])
            last = int(ends[-1]) if len(ends) > 1 or not step else high
        found |= {number for number in range(first, last + 1) if (number - first) % int(step or 1) == 0}
    return found


def _day_matches(local: datetime, day_of_month: str, day_of_week: str) -> bool:
    last = calendar.monthrange(local.year, local.month)[1]
    weekday = NAMES_OF_DAYS[int(local.strftime("%w"))]
    if day_of_week == "?":
        if day_of_month == "L":
            return local.day == last
        if day_of_month.endswith("W"):
            wanted = last if day_of_month == "LW" else int(day_of_month[:-1])
            if wanted > last:
                return False
            workdays = [day for day in range(1, last + 1) if calendar.weekday(local.year, local.month, day) < 5]
            return local.day == min(workdays, key=lambda day: abs(day - wanted))
        return local.day in _numbers(day_of_month, 1, 31)
    if "#" in day_of_week:
        name, nth = day_of_week.split("#")
        return weekday == name and (local.day + 6) // 7 == int(nth)
    if day_of_week == "L":
        return weekday == "SAT"
    if day_of_week.endswith("L"):
        return weekday == day_of_week[:-1] and local.day + 7 > last
    return NAMES_OF_DAYS.index(weekday) + 1 in _numbers(day_of_week, 1, 7, NAMES_OF_DAYS)


def _matches(fields: list[str], local: datetime) -> bool:
    minute, hour, day_of_month, month, day_of_week, year = fields
    return (
        local.month in _numbers(month, 1, 12, NAMES_OF_MONTHS)
        and local.year in _numbers(year, 1970, 2199)
        and local.hour in _numbers(hour, 0, 23)
        and local.minute in _numbers(minute, 0, 59)
        and _day_matches(local, day_of_month, day_of_week)
    )


def _first_minute(fields: list[str], instant: datetime, zone: ZoneInfo, days: int) -> datetime | None:
    minute = instant.replace(second=0, microsecond=0)
    for _ in range(days * 24 * 60):
        minute += timedelta(minutes=1)
        local = minute.astimezone(zone)
        # The second pass through an hour that is repeated does not count.
        if local.fold == 0 and _matches(fields, local):
            return minute
    return None


def _field(low: int, high: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    numbers = st.integers(low, high)
    spelled = numbers.map(lambda number: names[number - low]) if names else numbers.map(str)
    ranges = st.tuples(numbers, numbers).map(lambda pair: f"{min(pair)}-{max(pair)}")
    steps = st.builds(
        lambda base, step: f"{base}/{step}", st.one_of(st.just("*"), numbers.map(str), ranges), st.integers(1, high)
    )
    return st.one_of(
        st.just("*"), st.lists(st.one_of(spelled, numbers.map(str), ranges, steps), min_size=1, max_size=3).map(",".join)
    )


DAYS_OF_MONTH = st.one_of(_field(1, 31), st.sampled_from(["L", "LW"]), st.integers(1, 31).map("{}W".format))
DAYS_OF_WEEK = st.one_of(
    _field(1, 7, NAMES_OF_DAYS),
    st.just("L"),
    st.sampled_from(NAMES_OF_DAYS).map("{}L".format),
    st.builds("{}#{}".format, st.sampled_from(NAMES_OF_DAYS), st.integers(1, 5)),
)
DAYS = st.one_of(DAYS_OF_MONTH.map(lambda field: (field, "?")), DAYS_OF_WEEK.map(lambda field: ("?", field)))
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Santiago"])
# Around the changes of the clocks, and anywhere.
INSTANTS = st.one_of(
    st.datetimes(datetime(2026, 3, 7), datetime(2026, 4, 5)),  # noqa: DTZ001
    st.datetimes(datetime(2026, 10, 3), datetime(2026, 11, 2)),  # noqa: DTZ001
    st.datetimes(datetime(1999, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001
).map(lambda instant: instant.replace(tzinfo=UTC))


@settings(max_examples=200, deadline=None)
@given(minute=_field(0, 59), hour=_field(0, 23), days=DAYS, month=_field(1, 12, NAMES_OF_MONTHS), zone=ZONES, instant=INSTANTS)
def test_the_next_occurrence_is_the_first_minute_that_fits(
    minute: str, hour: str, days: tuple[str, str], month: str, zone: str, instant: datetime
) -> None:
    fields = [minute, hour, days[0], month, days[1], "*"]
    found = parse_schedule(f"cron({' '.join(fields)})", zone).next_after(instant)
    looked_at_days = 2
    expected = _first_minute(fields, instant, ZoneInfo(zone), looked_at_days)
    if expected is None:
        assert found is None or found > instant + timedelta(days=looked_at_days) - timedelta(minutes=1)
    else:
        assert found == expected


@settings(max_examples=200, deadline=None)
@given(days=DAYS, month=_field(1, 12, NAMES_OF_MONTHS), instant=INSTANTS)
def test_the_next_day_is_the_first_day_that_fits(days: tuple[str, str], month: str, instant: datetime) -> None:
    fields = ["0", "0", days[0], month, days[1], "*"]
    found = parse_schedule(f"cron({' '.join(fields)})", "UTC").next_after(instant)
    day = instant.replace(hour=0, minute=0, second=0, microsecond=0)
    candidates = (day + timedelta(days=number) for number in range(1, 800))
    expected = next((each for each in candidates if _matches(fields, each)), None)
    if expected is not None:
        assert found == expected
    else:
        assert found is None or found > day + timedelta(days=799)


@settings(max_examples=100, deadline=None)
@given(minute=_field(0, 59), hour=_field(0, 23), zone=ZONES, instant=INSTANTS)
def test_occurrences_only_rise(minute: str, hour: str, zone: str, instant: datetime) -> None:
    schedule = parse_schedule(f"cron({minute} {hour} * * ? *)", zone)
    for _ in range(20):
        following = schedule.next_after(instant)
        assert following is not None
        assert following > instant
        instant = following
