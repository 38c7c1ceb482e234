"""Seasons: where they begin and end, and what a board's state is at a moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.boards.boundaries import instant, last_boundary, milliseconds, next_boundary
from shared.boards.definition import ALL_TIME, BoardDefinition, Period
from shared.boards.season import NEVER, BoardState, Season, begun, ended, redefined, rolled

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo")
CRONS = (
    "0 0 * * *",
    "30 2 * * *",
    "15 1 * * *",
    "45 1 * * *",
    "0,30 1,2,3 * * *",
    "0 * * * *",
    "*/20 * * * *",
    "0 */2 * * *",
    "0 3 * * 1",
    "0 0 1 * *",
    "0 0 L * *",
    "30 2 31 * *",
    "0 12 1 1 *",
    "0 0 29 2 *",
)
A_DAY = 86_400_000
periods = st.builds(Period, st.just("p"), st.sampled_from(CRONS), st.sampled_from(ZONES))
moments = st.integers(milliseconds(datetime(2015, 1, 1, tzinfo=UTC)), milliseconds(datetime(2030, 1, 1, tzinfo=UTC)))
# When clocks are changed: there the days are longer or shorter.
changes = st.builds(
    lambda year, day, ms: milliseconds(datetime(year, day[0], day[1], tzinfo=UTC)) + ms,
    st.integers(2016, 2029),
    st.sampled_from([(3, 8), (3, 10), (3, 28), (3, 30), (4, 3), (4, 5), (10, 1), (10, 4), (10, 26), (10, 29), (11, 1), (11, 4)]),
    st.integers(0, 3 * A_DAY),
)


def _at(text: str, zone: str = "UTC", fold: int = 0) -> int:
    return milliseconds(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold))


def _board(*periods: Period) -> BoardDefinition:
    return BoardDefinition("cups", "Cups", periods=periods)


@given(periods, st.one_of(moments, changes))
def test_a_moment_lies_between_two_boundaries_that_follow_one_another(period: Period, now: int) -> None:
    begins, ends = last_boundary(period, now), next_boundary(period, now)
    assert ends is not None
    assert begins <= now < ends
    assert next_boundary(period, begins) == ends
    assert last_boundary(period, ends) == ends
    assert last_boundary(period, ends - 1) == begins


@given(periods, st.one_of(moments, changes), st.lists(st.integers(0, 90 * A_DAY), max_size=20))
def test_seasons_neither_overlap_nor_leave_gaps_however_often_they_are_looked_at(
    period: Period, now: int, pauses: list[int]
) -> None:
    state = begun(_board(period), now)
    known = {season.number: season for season in state.seasons}
    for pause in sorted(pauses):
        state = rolled(state, now + pause)
        [season] = state.seasons
        assert season.starts_at <= now + pause < season.until
        assert known.setdefault(season.number, season) == season
    for before, after in pairwise(sorted(known.values())):
        assert before.until <= after.starts_at
        assert (before.until == after.starts_at) == (next_boundary(period, before.starts_at) == after.starts_at)
    assert sorted(known) == list(range(1, len(known) + 1))


@given(periods, st.one_of(moments, changes))
def test_seasons_that_are_looked_at_in_time_tile_it(period: Period, now: int) -> None:
    state = begun(_board(period), now)
    for number in range(1, 40):
        [season] = state.seasons
        assert season.number == number
        assert rolled(state, season.until - 1) is state
        state = rolled(state, season.until)
        assert state.seasons[0].starts_at == season.until


@pytest.mark.parametrize(
    ("zone", "cron", "day", "expected"),
    [
        ("Europe/Berlin", "30 2 * * *", "2026-03-29", "2026-03-29T01:00:00+00:00"),  # 02:30 is skipped: 03:00
        ("Europe/Berlin", "30 2 * * *", "2026-10-25", "2026-10-25T00:30:00+00:00"),  # comes twice: the first
        ("America/New_York", "30 2 * * *", "2026-03-08", "2026-03-08T07:00:00+00:00"),
        ("America/New_York", "30 1 * * *", "2026-11-01", "2026-11-01T05:30:00+00:00"),
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-04", "2026-10-03T15:30:00+00:00"),  # half an hour is skipped
        ("Australia/Lord_Howe", "45 1 * * *", "2026-04-05", "2026-04-04T14:45:00+00:00"),  # half an hour comes twice
    ],
)
def test_a_day_on_which_clocks_are_changed_has_one_boundary(zone: str, cron: str, day: str, expected: str) -> None:
    period = Period("daily", cron, zone)
    midnight = _at(f"{day}T00:00")
    begins = last_boundary(period, midnight - A_DAY)
    found = []
    while (following := next_boundary(period, begins)) is not None and begins < midnight + 2 * A_DAY:
        begins = following
        found.append(begins)
    on_the_day = [at for at in found if instant(at).astimezone(ZoneInfo(zone)).date().isoformat() == day]
    assert [instant(at).isoformat() for at in on_the_day] == [expected]
    for at in range(midnight - A_DAY, midnight + 2 * A_DAY, 600_000):
        assert last_boundary(period, at) in {last_boundary(period, midnight - A_DAY), *found}


@pytest.mark.parametrize(
    ("cron", "now", "begins", "ends"),
    [
        ("0 9 */14 * *", "2026-11-20T12:00", "2026-11-15T09:00", "2026-11-29T09:00"),
        ("0 9 */14 * *", "2026-11-30T12:00", "2026-11-29T09:00", "2026-12-01T09:00"),  # it counts days of a month
        ("0 22 * * MON-FRI", "2026-11-21T12:00", "2026-11-20T22:00", "2026-11-23T22:00"),
        ("0 0 * * 6,7", "2026-11-21T12:00", "2026-11-21T00:00", "2026-11-22T00:00"),
        ("17-43/5 * * * *", "2026-11-20T00:50", "2026-11-20T00:42", "2026-11-20T01:17"),
        ("0 0 L * *", "2028-02-10T12:00", "2028-01-31T00:00", "2028-02-29T00:00"),
        ("0 0 LW * *", "2027-01-30T12:00", "2027-01-29T00:00", "2027-02-26T00:00"),
        ("0 0 * * 5L", "2026-11-28T12:00", "2026-11-27T00:00", "2026-12-25T00:00"),
        ("0 0 * * 6#5", "2027-02-01T12:00", "2027-01-30T00:00", "2027-05-29T00:00"),
    ],
)
def test_a_schedule_may_say_what_cron_may(cron: str, now: str, begins: str, ends: str) -> None:
    period = Period("p", cron)
    assert (last_boundary(period, _at(now)), next_boundary(period, _at(now))) == (_at(begins), _at(ends))
    assert last_boundary(period, _at(ends)) == _at(ends), "the moment of a run is in the season that it begins"


@pytest.mark.parametrize("day", ["2026-10-04", "2027-04-04"])  # half an hour is skipped, and comes twice
@pytest.mark.parametrize(("starred", "named"), [("0 */6 * * *", "0 0,6,12,18 * * *"), ("30 */8,4 * * *", "30 0,8,16,4 * * *")])
def test_every_so_many_hours_is_the_same_hours_of_each_day(day: str, starred: str, named: str) -> None:
    midnight = _at(f"{day}T00:00") - A_DAY
    for at in range(midnight, midnight + 3 * A_DAY, 1_800_000):
        periods = [Period("p", cron, "Australia/Lord_Howe") for cron in (starred, named)]
        assert len({next_boundary(period, at) for period in periods}) == 1
        assert len({last_boundary(period, at) for period in periods}) == 1


def test_months_and_years_have_their_lengths() -> None:
    monthly, yearly = Period("month", "0 0 1 * *", "Europe/Berlin"), Period("year", "0 0 1 1 *", "Europe/Berlin")
    now = _at("2027-12-15T12:00", "Europe/Berlin")
    state = begun(_board(monthly, yearly), now)
    assert state.seasons == (
        Season("month", 1, _at("2027-12-01T00:00", "Europe/Berlin"), _at("2028-01-01T00:00", "Europe/Berlin")),
        Season("year", 1, _at("2027-01-01T00:00", "Europe/Berlin"), _at("2028-01-01T00:00", "Europe/Berlin")),
    )
    later = rolled(state, _at("2028-02-10T00:00"))
    assert [(season.number, season.until - season.starts_at) for season in later.seasons] == [(2, 29 * A_DAY), (2, 366 * A_DAY)]


def test_time_in_which_nobody_looked_has_no_seasons() -> None:
    daily = Period("daily", "0 0 * * *")
    state = begun(_board(daily), _at("2026-01-01T10:00"))
    [season] = rolled(state, _at("2026-06-01T10:00")).seasons
    assert season == Season("daily", 2, _at("2026-06-01T00:00"), _at("2026-06-02T00:00"))


def test_a_period_without_cron_is_one_season_from_its_creation_on() -> None:
    state = begun(_board(Period(ALL_TIME)), 1000)
    assert state.seasons == (Season(ALL_TIME, 1, 1000, NEVER),)
    assert rolled(state, NEVER - 1) is state
    assert state.until == NEVER


def test_nothing_counts_outside_of_the_bounds_of_a_period() -> None:
    starts, ends = _at("2026-05-10T12:00"), _at("2026-05-12T12:00")
    period = Period("cup", "0 0 * * *", "UTC", instant(starts), instant(ends))
    state = begun(_board(period), _at("2026-05-01T00:00"))
    assert state.seasons == (Season("cup", 0, 0, starts),)
    found = []
    while state.until != NEVER:
        state = rolled(state, state.until)
        found += [season[1:4] for season in state.seasons]
    first, second = _at("2026-05-11T00:00"), _at("2026-05-12T00:00")
    assert found == [(1, starts, first), (2, first, second), (3, second, ends), (0, ends, NEVER)]
    assert state.seasons[0].newest == 3


def test_a_period_without_cron_keeps_to_its_bounds() -> None:
    period = Period("cup", starts_at=instant(5000), ends_at=instant(9000))
    state = begun(_board(period), 1000)
    assert [rolled(state, at).seasons[0][1:4] for at in (4999, 5000, 8999, 9000)] == [
        (0, 0, 5000),
        (1, 5000, 9000),
        (1, 5000, 9000),
        (0, 0, NEVER),
    ]


@given(periods, periods, moments, st.integers(0, 5 * A_DAY))
def test_an_open_season_keeps_its_number_when_the_board_is_redefined(before: Period, after: Period, now: int, later: int) -> None:
    state = rolled(begun(_board(before), now), now + later)
    changed = redefined(state, _board(after), now + later)
    assert changed.seasons[0][:3] == state.seasons[0][:3]
    assert changed.seasons[0].until == next_boundary(after, now + later)
    assert ended(state, changed, now + later) == []


def test_a_period_that_is_taken_out_ends_and_goes_on_where_it_was_when_it_is_back() -> None:
    weekly, total = Period("weekly", "0 0 * * 1"), Period(ALL_TIME)
    now = _at("2026-05-13T12:00")
    state = begun(_board(weekly, total), now)
    without = redefined(state, _board(total), now)
    assert ended(state, without, now) == [Season("weekly", 1, _at("2026-05-11T00:00"), now)]
    assert without.seasons == (state.seasons[1],)
    known = {"weekly": Season("weekly", 1, _at("2026-05-11T00:00"), now)}
    back = redefined(without, _board(weekly, total), now + 5000, known.values())
    assert back.seasons[0] == Season("weekly", 2, now, _at("2026-05-18T00:00"))


def test_a_season_ends_when_its_period_is_moved_away_and_another_one_follows() -> None:
    total = Period("cup")
    state = begun(_board(total), 1000)
    moved = redefined(state, _board(replace(total, starts_at=instant(9000))), 5000)
    assert moved.seasons == (Season("cup", 0, 5000, 9000, 1),)
    assert ended(state, moved, 5000) == [Season("cup", 1, 1000, 5000)]
    assert rolled(moved, 9500).seasons == (Season("cup", 2, 9000, NEVER),)


def test_a_board_that_redis_lost_goes_on_with_the_seasons_that_the_ledger_knows() -> None:
    daily, total = Period("daily", "0 0 * * *"), Period(ALL_TIME)
    now = _at("2026-05-13T12:00")
    of_today = Season("daily", 7, _at("2026-05-13T10:00"), _at("2026-05-14T00:00"))
    known = {"daily": of_today, ALL_TIME: Season(ALL_TIME, 1, 1000, NEVER)}
    board = _board(daily, total)
    assert begun(board, now, known.values()).seasons == (of_today, known[ALL_TIME])
    without_end = begun(board, now, {**known, "daily": of_today._replace(until=NEVER)}.values()).seasons
    assert without_end[0] == of_today._replace(starts_at=_at("2026-05-13T00:00"))
    tomorrow = begun(board, now + A_DAY, known.values())
    assert tomorrow.seasons[0] == Season("daily", 8, _at("2026-05-14T00:00"), _at("2026-05-15T00:00"))


def test_the_end_of_a_season_is_told_once() -> None:
    daily = Period("daily", "0 0 * * *")
    now = _at("2026-05-13T12:00")
    state: BoardState = begun(_board(daily), now)
    later = rolled(state, now + 2 * A_DAY)
    assert ended(state, later, now + 2 * A_DAY) == list(state.seasons)
    assert ended(later, later, now + 2 * A_DAY) == []


def test_instants_are_exact_to_the_millisecond() -> None:
    at = datetime(2026, 5, 13, 12, 0, 0, 123_000, tzinfo=UTC)
    assert instant(milliseconds(at)) == at
    assert instant(milliseconds(at)) + timedelta(milliseconds=1) == instant(milliseconds(at) + 1)
