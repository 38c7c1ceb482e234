"""A clock that is set back is noticed, and what must be done then is done in the end."""

from __future__ import annotations

from local_runtime.instance.servers.clock_watch import ClockWatch


def test_only_a_clock_that_was_set_back_is_told_and_until_it_is_heard() -> None:
    now, passed = 1_000_000.0, 5.0
    told: list[float] = []

    def on_set_back() -> bool:
        told.append(now)
        return len(told) == 3

    watch = ClockWatch(on_set_back, lambda: now, lambda: passed)
    for seconds, elapsed in ((0.25, 0.25), (3600.0, 0.25), (20.0, 20.0), (0.0, 0.5)):
        now, passed = now + seconds, passed + elapsed
        watch.tend()
    assert told == []
    now -= 7200
    for _ in range(5):
        watch.tend()
    assert len(told) == 3
