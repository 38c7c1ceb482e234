"""rate(), at() and time zones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_runtime.hosting.schedule import InvalidSchedule, parse_schedule

START = datetime(2026, 11, 23, 12, 0, 7, tzinfo=UTC)
PERIODS = {
    "rate(1 minute)": timedelta(minutes=1),
    "rate(5 minutes)": timedelta(minutes=5),
    "rate(1 hour)": timedelta(hours=1),
    "rate(36 hours)": timedelta(hours=36),
    "rate(1 day)": timedelta(days=1),
    "rate(7 days)": timedelta(days=7),
}


@pytest.mark.parametrize("expression", PERIODS)
def test_the_period_counts_from_the_start(expression: str) -> None:
    schedule = parse_schedule(expression, "UTC", START)
    assert schedule.next_after(START) == START + PERIODS[expression]
    assert schedule.next_after(START + PERIODS[expression] * 3) == START + PERIODS[expression] * 4


@given(seconds=st.integers(-(10**6), 10**7), expression=st.sampled_from(list(PERIODS)))
def test_the_next_occurrence_is_a_whole_number_of_periods_away_from_the_start(seconds: int, expression: str) -> None:
    instant, period = START + timedelta(seconds=seconds), PERIODS[expression]
    following = parse_schedule(expression, "UTC", START).next_after(instant)
    assert following is not None
    assert (following - START) % period == timedelta(0)
    assert instant < following
    assert following <= max(instant, START) + period


def test_a_day_has_24_hours_also_when_the_clocks_change() -> None:
    start = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert parse_schedule("rate(1 day)", "Europe/Berlin", start).next_after(start) == start + timedelta(hours=24)


@pytest.mark.parametrize(
    "expression",
    [
        "rate(1 minutes)",
        "rate(5 minute)",
        "rate(0 minutes)",
        "rate(-1 minutes)",
        "rate(01 minute)",
        "rate(1.5 hours)",
        "rate(30 seconds)",
        "rate(1 week)",
        "rate(1  minute)",
        "rate(minute)",
        "rate(1000000 days)",
        "rate 1 minute",
        "RATE(1 minute)",
        " rate(1 minute)",
        "",
        "at(2030-01-01)",
        "at(2030-01-01T00:00:00Z)",
        "at(2030-02-30T00:00:00)",
    ],
)
def test_what_eventbridge_refuses_is_refused(expression: str) -> None:
    with pytest.raises(InvalidSchedule):
        parse_schedule(expression, "UTC")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "Europe", "/etc/localtime"])
def test_an_unknown_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(InvalidSchedule, match="no time zone"):
        parse_schedule("rate(1 minute)", zone)


def test_a_rate_beyond_the_calendar_never_comes() -> None:
    assert parse_schedule("rate(999999 days)", "UTC", datetime(9000, 1, 1, tzinfo=UTC)).next_after(START) is None
