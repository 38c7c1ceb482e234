"""What a simulation counts."""

from __future__ import annotations

from scoreboard_client import Board, ScoreboardError

from local_runtime.simulate.distribution import Distribution
from local_runtime.simulate.tally import Tally


def distribution(*seconds: float) -> Distribution:
    made = Distribution()
    for one in seconds:
        made.add(one)
    return made


def board(**scores: int) -> Board:
    lines = enumerate(scores.items(), 1)
    return {
        "data": [
            {"userId": user_id, "username": user_id, "displayName": user_id, "rank": rank, "score": score}
            for rank, (user_id, score) in lines
        ],
        "cache_time": "",
    }


def lag_ms(tally: Tally) -> float | None:
    """The longest."""
    summary = tally.counted().lag_ms
    return None if summary is None else summary["max"]


def test_nothing_counted_is_no_latency() -> None:
    assert distribution().summary_ms() is None
    assert Tally().counted().latency_ms is None


def test_percentiles_are_of_all() -> None:
    made = distribution(*(milliseconds / 1000 for milliseconds in range(1, 101)))
    assert made.summary_ms() == {"p50": 50.0, "p90": 90.0, "p99": 99.0, "max": 100.0}


def test_one_slow_one_in_two_hundred_is_not_the_99th_percentile() -> None:
    assert distribution(*[0.002] * 199, 5.0).summary_ms() == {"p50": 2.0, "p90": 2.0, "p99": 2.0, "max": 5000.0}


def test_whatever_is_not_accepted_is_refused_by_its_code() -> None:
    tally = Tally()
    tally.accept(0.001)
    tally.accept(0.001)
    for error in (ScoreboardError(429, "rate_limited"), ScoreboardError(502, "unknown")):
        tally.refuse(error)
    counted = tally.counted()
    assert (counted.accepted, counted.refused) == (2, {"rate_limited": 1, "502": 1})


def test_an_update_lags_until_its_score_or_a_higher_one_is_seen() -> None:
    tally = Tally()
    tally.sent("u", 7, 10.0)
    tally.seen(board(u=4, v=9), 10.1)
    assert lag_ms(tally) is None
    tally.seen(board(u=8), 10.3)
    tally.seen(board(u=8), 11.0)
    assert lag_ms(tally) == 300.0
    assert tally.counted().frames == 3


def test_an_update_that_was_refused_is_not_looked_for() -> None:
    tally = Tally()
    tally.sent("u", 7, 10.0)
    tally.forget("u")
    tally.seen(board(u=9), 70.0)
    assert lag_ms(tally) is None


def test_of_a_player_who_is_not_on_the_board_the_newest_update_is_looked_for() -> None:
    tally = Tally()
    tally.sent("u", 7, 10.0)
    tally.sent("u", 9, 20.0)
    tally.seen(board(u=9), 20.1)
    assert lag_ms(tally) == 100.0
