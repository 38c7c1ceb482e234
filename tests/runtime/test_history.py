"""The last hour for the admins' page: one sample a minute, whichever worker takes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from local_runtime.gateway.http.history import SAMPLES, History, sample_of
from local_runtime.metrics import read
from shared.core import metrics
from shared.core.metrics.instruments import Reading


class Clock:
    """Stands until it is set."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Workers:
    """Several of an instance, and how often one of them measured."""

    def __init__(self, directory: Path, count: int) -> None:
        self.clock, self.measured = Clock(), 0
        self.all = [History(self._read, directory, self._at_once, self.clock) for _ in range(count)]

    def _read(self) -> list[Reading]:
        self.measured += 1
        return read()

    @staticmethod
    def _at_once(work: Callable[[], None]) -> None:
        work()

    def tend(self) -> None:
        """What each does several times a second."""
        for _ in range(3):
            for worker in self.all:
                worker.tend()


@pytest.fixture
def workers(tmp_path: Path) -> Workers:
    return Workers(tmp_path, 3)


def test_of_each_minute_one_worker_takes_the_sample_and_all_show_it(workers: Workers) -> None:
    for _ in range(3):
        workers.tend()
        workers.clock.now += 60
    assert workers.measured == 3
    told = [worker.samples() for worker in workers.all]
    assert told[0] == told[1] == told[2]
    assert [sample["at"] for sample in told[0]] == [1_800_000_000, 1_800_000_060, 1_800_000_120]


def test_a_worker_that_is_new_shows_what_was_before_it(workers: Workers, tmp_path: Path) -> None:
    workers.tend()
    assert Workers(tmp_path, 1).all[0].samples() == workers.all[0].samples() != []


def test_no_more_than_an_hour_is_kept(workers: Workers) -> None:
    for _ in range(SAMPLES + 5):
        workers.tend()
        workers.clock.now += 60
    kept = workers.all[0].samples()
    assert len(kept) == SAMPLES
    assert kept[-1]["at"] - kept[0]["at"] == 3600


def test_while_one_measures_no_other_one_does(tmp_path: Path) -> None:
    clock = Clock()
    seen: list[object] = []

    def measure() -> list[Reading]:
        other.tend()
        seen.append(other.samples())
        return read()

    def unasked() -> list[Reading]:
        raise AssertionError

    other = History(unasked, tmp_path, Workers._at_once, clock)
    History(measure, tmp_path, Workers._at_once, clock).tend()
    assert seen == [[]]
    assert len(other.samples()) == 1


def test_without_room_on_the_disk_there_is_no_sample_and_no_error(tmp_path: Path) -> None:
    history = History(read, tmp_path / "nowhere", Workers._at_once)
    history.tend()
    assert history.samples() == []


def test_a_sample_tells_totals_and_what_there_is() -> None:
    before = sample_of(read())
    metrics.invocations.of("update_score", "http", "ok").inc(5)
    metrics.invocations.of("update_score", "http", "rate_limited").inc(2)
    metrics.invocation_seconds.of("update_score", "http").observe(0.003, 7)
    metrics.refusals.of("rate_limited").inc(2)
    for family in (metrics.outbox_entries, metrics.dead_letters):
        family.clear()
    after = sample_of(read())
    assert after["updates"]["count"] - before["updates"]["count"] == 7
    assert after["updates"]["failed"] - before["updates"]["failed"] == 2
    assert after["updates"]["buckets"][-1][1] >= 7
    assert after["refusals"] - before["refusals"] == 2
    assert (after["outbox"], after["deadLetters"]) == (None, None), "their stores were not asked"
    metrics.outbox_entries.of().set(4)
    metrics.dead_letters.of("parked").set(1)
    metrics.dead_letters.of("redriven").set(9)
    told = sample_of(read())
    assert (told["outbox"], told["deadLetters"]) == (4, 1)
    for family in (metrics.outbox_entries, metrics.dead_letters):
        family.clear()
