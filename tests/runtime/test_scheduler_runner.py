"""The runner of schedules, with a clock that stands still until it is moved."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local_runtime.hosting.deadline import ProcessDeadline
from local_runtime.hosting.invoker import Invoker
from local_runtime.hosting.manifest import Function, Manifest, Schedule
from local_runtime.hosting.schedule.runner import MAX_RUNNING, Backoff, ScheduleRunner
from shared.core.clock import SystemClock

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
FUNCTION = Function("RelayOutbox", "relay_outbox", Path(), "handler.lambda_handler", 3, 128, {})
EVERY_MINUTE = Schedule(FUNCTION, "minutely", "rate(1 minute)", "UTC", {"attempt": "<aws.scheduler.attempt-number>"}, 0, 60)


class HandClock(SystemClock):
    """A clock that only `advance` moves."""

    def __init__(self) -> None:
        self._now = START

    def now(self) -> datetime:
        return self._now

    def wait(self, woken: threading.Event, seconds: float) -> None:
        """Goes straight to the wanted time, unless it is woken."""
        if not woken.wait(0.001):
            self._now += timedelta(seconds=seconds)

    def advance(self, **duration: float) -> None:
        self._now += timedelta(**duration)


class Recorder(Invoker):
    """An invoker that writes down what it is asked, and does what it is told."""

    def __init__(self, behaviour: Callable[[], object] = lambda: None) -> None:
        super().__init__(Manifest((), (), (), (), (), None), ProcessDeadline())
        self.events: list[Any] = []
        self._behaviour = behaviour

    def invoke(
        self, function: Function, event: object, request_id: str | None = None, *, trigger: str = "direct", is_plain: bool = False
    ) -> Any:
        assert (function, trigger) == (FUNCTION, "schedule")
        assert request_id
        self.events.append(event)
        return self._behaviour()


def runner_of(schedule: Schedule, invoker: Recorder, clock: HandClock) -> ScheduleRunner:
    return ScheduleRunner([schedule], invoker, clock, Backoff(lambda: 0.0), "eu-west-1")


def deliver(runner: ScheduleRunner) -> None:
    runner.deliver_due()
    assert runner.join(60)


def fail() -> None:
    raise RuntimeError("the database is away")


def until(condition: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < ends_at
        time.sleep(0.005)


def test_every_occurrence_is_delivered_once() -> None:
    clock, invoker = HandClock(), Recorder()
    runner = runner_of(EVERY_MINUTE, invoker, clock)
    deliver(runner)
    assert invoker.events == []
    for minute in (1, 2, 3):
        clock.advance(minutes=1)
        deliver(runner)
        deliver(runner)
        assert len(invoker.events) == minute


def test_what_passed_while_the_machine_slept_is_not_caught_up(caplog: pytest.LogCaptureFixture) -> None:
    clock, invoker = HandClock(), Recorder()
    runner = runner_of(EVERY_MINUTE, invoker, clock)
    clock.advance(hours=5, seconds=10)
    deliver(runner)
    assert len(invoker.events) == 1
    assert "has passed" in caplog.text
    clock.advance(minutes=1)
    deliver(runner)
    assert len(invoker.events) == 2


def test_after_the_clock_was_set_back_schedules_go_on(caplog: pytest.LogCaptureFixture) -> None:
    clock, invoker = HandClock(), Recorder()
    runner = runner_of(EVERY_MINUTE, invoker, clock)
    clock.advance(minutes=1)
    deliver(runner)
    clock.advance(hours=-2)
    deliver(runner)
    assert "the clock was set back by 2:00:00" in caplog.text
    for minute in (2, 3):
        clock.advance(minutes=1)
        deliver(runner)
        assert len(invoker.events) == minute


def test_after_the_clock_was_set_back_what_failed_is_tried_again() -> None:
    clock, invoker = HandClock(), Recorder(fail)
    daily = dataclasses.replace(EVERY_MINUTE, expression="rate(1 day)", maximum_retry_attempts=2, maximum_event_age_seconds=3600)
    runner = runner_of(daily, invoker, clock)
    clock.advance(days=1)
    deliver(runner)
    clock.advance(hours=-2)
    deliver(runner)
    assert [event["attempt"] for event in invoker.events] == ["1", "2"]


def test_a_failure_is_tried_again_with_growing_delay_and_then_given_up(caplog: pytest.LogCaptureFixture) -> None:
    clock, invoker = HandClock(), Recorder(fail)
    daily = dataclasses.replace(EVERY_MINUTE, expression="rate(1 day)", maximum_retry_attempts=2, maximum_event_age_seconds=3600)
    runner = runner_of(daily, invoker, clock)
    clock.advance(days=1)
    deliver(runner)
    for seconds, attempts in ((4.9, 1), (0.1, 2), (9.9, 2), (0.1, 3), (3600, 3)):
        clock.advance(seconds=seconds)
        deliver(runner)
        assert len(invoker.events) == attempts
    assert [event["attempt"] for event in invoker.events] == ["1", "2", "3"]
    assert "is given up" in caplog.text


def test_an_event_is_not_tried_again_when_it_would_be_too_old() -> None:
    clock, invoker = HandClock(), Recorder(fail)
    daily = dataclasses.replace(EVERY_MINUTE, expression="rate(1 day)", maximum_retry_attempts=185)
    runner = runner_of(daily, invoker, clock)
    clock.advance(days=1)
    for _ in range(200):
        deliver(runner)
        clock.advance(seconds=1)
    # After 0, 5, 15 and 35 seconds; the fifth would come after 75, and 60 are allowed.
    assert len(invoker.events) == 4


def test_jitter_shortens_a_delay_by_up_to_a_half() -> None:
    schedule = dataclasses.replace(EVERY_MINUTE, maximum_retry_attempts=185, maximum_event_age_seconds=86400)
    at = Backoff(lambda: 1.0).next_try_at(schedule, START, 1, START)
    assert at == START + timedelta(seconds=2.5)
    assert Backoff(lambda: 0.0).next_try_at(schedule, START, 100, START) == START + timedelta(minutes=15)
    assert Backoff(lambda: 0.0).next_try_at(schedule, START, 186, START) is None


def test_invocations_overlap_but_not_without_end(caplog: pytest.LogCaptureFixture) -> None:
    released = threading.Event()
    clock, invoker = HandClock(), Recorder(lambda: released.wait(30))
    runner = runner_of(EVERY_MINUTE, invoker, clock)
    for _ in range(MAX_RUNNING + 2):
        clock.advance(minutes=1)
        runner.deliver_due()
    until(lambda: len(invoker.events) == MAX_RUNNING)
    assert caplog.text.count("this one is left out") == 2
    assert not runner.join(0.01)
    released.set()
    assert runner.join(60)
    clock.advance(minutes=1)
    deliver(runner)
    assert len(invoker.events) == MAX_RUNNING + 1


def test_every_invocation_is_logged_with_outcome_and_duration(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "local_runtime")  # others run the command line in this process, which sets it
    clock = HandClock()
    runner = runner_of(EVERY_MINUTE, Recorder(lambda: clock.advance(seconds=1.5)), clock)
    clock.advance(minutes=1)
    deliver(runner)
    failing = runner_of(EVERY_MINUTE, Recorder(fail), clock)
    clock.advance(minutes=1)
    deliver(failing)
    assert "schedule minutely: relay_outbox ok, attempt 1, 1500 ms" in caplog.text
    assert "schedule minutely: relay_outbox failed, attempt 1, 0 ms: the database is away" in caplog.text


def test_the_loop_runs_until_it_is_stopped() -> None:
    clock = HandClock()
    runners: list[ScheduleRunner] = []
    invoker = Recorder(lambda: runners[0].stop() if len(invoker.events) >= 3 else None)
    runners.append(runner_of(EVERY_MINUTE, invoker, clock))
    runners[0].run()
    assert runners[0].join(60)
    assert len(invoker.events) >= 3


def test_without_schedules_the_loop_waits_to_be_stopped() -> None:
    runner = ScheduleRunner([], Recorder(), HandClock(), Backoff(lambda: 0.0), "eu-west-1")
    thread = threading.Thread(target=runner.run)
    thread.start()
    runner.stop()
    thread.join(60)
    assert not thread.is_alive()


def test_a_runner_that_stands_by_delivers_nothing(caplog: pytest.LogCaptureFixture) -> None:
    clock, invoker, turn = HandClock(), Recorder(), threading.Event()
    runner = ScheduleRunner([EVERY_MINUTE], invoker, clock, Backoff(lambda: 0.0), "eu-west-1", turn.is_set)
    for _ in range(3):
        clock.advance(minutes=1)
        runner.stand_by()
        deliver(runner)
    assert invoker.events == []
    clock.advance(seconds=30)
    runner.stand_by()
    turn.set()
    deliver(runner)
    assert invoker.events == [], "what was due half a minute ago another instance has delivered"
    clock.advance(seconds=30)
    deliver(runner)
    assert len(invoker.events) == 1
    assert caplog.records == []


def test_what_was_due_when_the_other_runner_ended_is_delivered() -> None:
    clock, invoker, turn = HandClock(), Recorder(), threading.Event()
    runner = ScheduleRunner([EVERY_MINUTE], invoker, clock, Backoff(lambda: 0.0), "eu-west-1", turn.is_set)
    clock.advance(days=3, seconds=10)
    runner.stand_by()
    turn.set()
    deliver(runner)
    assert len(invoker.events) == 1
    turn.clear()
    clock.advance(minutes=1)
    deliver(runner)
    assert len(invoker.events) == 1


def test_a_runner_takes_its_turn_when_it_comes() -> None:
    clock, invoker, turn = HandClock(), Recorder(), threading.Event()
    runner = ScheduleRunner([EVERY_MINUTE], invoker, clock, Backoff(lambda: 0.0), "eu-west-1", turn.is_set)
    thread = threading.Thread(target=runner.run)
    thread.start()
    try:
        turn.set()
        until(lambda: len(invoker.events) > 0)
    finally:
        runner.stop()
        thread.join(60)
    assert not thread.is_alive()
