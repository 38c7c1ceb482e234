"""What a simulation counts."""

from __future__ import annotations

from local_runtime.simulate.tally import Tally


def test_nothing_counted_is_no_latency() -> None:
    assert Tally().percentiles_ms() == (0.0, 0.0)


def test_percentiles_are_of_all_updates() -> None:
    tally = Tally()
    for milliseconds in range(1, 101):
        tally.update(200, milliseconds / 1000)
    assert tally.percentiles_ms() == (50.0, 99.0)


def test_one_slow_update_in_two_hundred_is_not_the_99th_percentile() -> None:
    tally = Tally()
    for seconds in [0.002] * 199 + [5.0]:
        tally.update(200, seconds)
    assert tally.percentiles_ms() == (2.0, 2.0)


def test_whatever_is_not_accepted_is_refused() -> None:
    tally = Tally()
    for status in (200, 200, 429, 503):
        tally.update(status, 0.001)
    assert (tally.accepted, tally.refused) == (2, 2)
