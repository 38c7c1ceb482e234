"""Runs schedules: one loop that waits for the next occurrence, and a thread for every invocation."""

from __future__ import annotations

import heapq
import itertools
import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from local_runtime.hosting.invoker import Invoker
from local_runtime.hosting.manifest import Schedule
from local_runtime.hosting.schedule.events import Attempt, build_event
from local_runtime.hosting.schedule.expression import ScheduleExpression, parse_schedule
from shared.core.backoff import doubled
from shared.core.clock import SystemClock
from shared.core.ids import new_request_id

_FIRST_DELAY_SECONDS = 5.0
_LONGEST_DELAY_SECONDS = 900.0
# How soon a change of the machine's clock, or its waking from sleep, is noticed.
_LONGEST_WAIT_SECONDS = 30.0
logger = logging.getLogger(__name__)
# Invocations of one schedule may overlap, as in the cloud, where each runs in a sandbox of its own; but not without end.
MAX_RUNNING = 3
MAX_WAITING_RETRIES = 20
# Older than this an occurrence is one that passed while the machine slept: left out, like those that pass while nothing runs.
MAX_LATENESS = timedelta(seconds=60)
# A runner that stands by keeps what became due of late, for the one before it may have ended without delivering that.
HANDOVER = timedelta(seconds=15)
STANDBY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubling delays from 5 s to 15 min, each shortened by up to a half; `jitter` answers 0 to 1.

    Lambda accepts a schedule's event at once and tries a failing handler twice more by itself, whatever the RetryPolicy says.
    Here delivering and running are one, so the RetryPolicy stands for both.
    """

    jitter: Callable[[], float]

    def next_try_at(self, schedule: Schedule, scheduled_at: datetime, failed_attempt: int, now: datetime) -> datetime | None:
        """None when the attempts are used up, or the event would be too old by then."""
        if failed_attempt > schedule.maximum_retry_attempts:
            return None
        delay_seconds = doubled(_FIRST_DELAY_SECONDS, _LONGEST_DELAY_SECONDS, failed_attempt - 1)
        at = now + timedelta(seconds=delay_seconds * (1 - self.jitter() / 2))
        return at if at - scheduled_at <= timedelta(seconds=schedule.maximum_event_age_seconds) else None


@dataclass(frozen=True, slots=True)
class Delivery:
    """An occurrence to be delivered; `attempt` counts from 1."""

    schedule: Schedule
    scheduled_at: datetime
    attempt: int


class ScheduleRunner:
    """Delivers every occurrence from now on. Occurrences that passed while no runner ran are not caught up.

    While `may_run` says no it stands by: another instance delivers. When it says yes again, what became due in the last HANDOVER
    is delivered, perhaps a second time.
    """

    def __init__(
        self,
        schedules: Sequence[Schedule],
        invoker: Invoker,
        clock: SystemClock,
        backoff: Backoff,
        region: str,
        may_run: Callable[[], bool] = lambda: True,
    ) -> None:
        self._may_run = may_run
        self._invoker = invoker
        self._clock = clock
        self._backoff = backoff
        self._region = region
        self._order = itertools.count()
        self._woken = threading.Event()
        self._lock = threading.Lock()
        self._stopping = False
        self._waiting: list[tuple[datetime, int, Delivery]] = []
        self._retries: Counter[str] = Counter()
        self._running: dict[threading.Thread, str] = {}
        self._schedules = schedules
        self._expressions: dict[str, ScheduleExpression] = {}
        self._seen_at = clock.now()
        self._plan(self._seen_at)

    def run(self) -> None:
        """Deliver until `stop` is called."""
        while not self._stopping:
            self._woken.clear()
            if self._may_run():
                self.deliver_due()
                with self._lock:
                    next_at = self._waiting[0][0] if self._waiting else None
            else:
                self.stand_by()
                next_at = self._clock.now() + timedelta(seconds=STANDBY_SECONDS)
            if not self._stopping:
                self._clock.wait(self._woken, self._seconds_until(next_at))

    def _seconds_until(self, next_at: datetime | None) -> float:
        seconds = _LONGEST_WAIT_SECONDS if next_at is None else (next_at - self._clock.now()).total_seconds()
        return min(max(seconds, 0.0), _LONGEST_WAIT_SECONDS)

    def stop(self) -> None:
        """Make `run` return; what runs goes on. For other threads, not for signal handlers."""
        self._stopping = True
        self._woken.set()

    def join(self, seconds: float) -> bool:
        """Wait for the invocations that run; whether all have ended."""
        ends_at = time.monotonic() + seconds
        with self._lock:
            threads = list(self._running)
        for thread in threads:
            thread.join(max(0.0, ends_at - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def deliver_due(self) -> None:
        """Start everything that is due."""
        self._heed_clock()
        while self._may_run() and (delivery := self._pop_due(self._clock.now())):
            schedule = delivery.schedule
            if delivery.attempt == 1:
                self._plan_next(schedule, max(delivery.scheduled_at, self._clock.now() - MAX_LATENESS))
                if self._clock.now() - delivery.scheduled_at > MAX_LATENESS:
                    logger.warning("schedule %s: the occurrence of %s has passed", schedule.name, delivery.scheduled_at)
                    continue
            self._start(delivery)

    def stand_by(self) -> None:
        """Leave out what became due so long ago that another instance has certainly delivered it."""
        self._heed_clock()
        while delivery := self._pop_due(self._clock.now() - HANDOVER):
            if delivery.attempt == 1:
                self._plan_next(delivery.schedule, max(delivery.scheduled_at, self._clock.now() - HANDOVER))

    def _heed_clock(self) -> None:
        """Plan anew when the clock was set back: else everything would wait until the old time is reached again."""
        now = self._clock.now()
        back, self._seen_at = self._seen_at - now, now
        if back > MAX_LATENESS:
            logger.warning("the clock was set back by %s: schedules go on from %s", back, now)
            self._plan(now)

    def _plan(self, now: datetime) -> None:
        """The next occurrence of each schedule; what is to be tried again is due."""
        with self._lock:
            tries = [replace(delivery, scheduled_at=now) for _, _, delivery in self._waiting if delivery.attempt > 1]
            self._waiting = [(now, next(self._order), delivery) for delivery in tries]
        for schedule in self._schedules:
            self._expressions[schedule.name] = parse_schedule(schedule.expression, schedule.time_zone, now)
            self._plan_next(schedule, now)

    def _pop_due(self, by: datetime) -> Delivery | None:
        with self._lock:
            if not self._waiting or self._waiting[0][0] > by:
                return None
            delivery = heapq.heappop(self._waiting)[2]
            if delivery.attempt > 1:
                self._retries[delivery.schedule.name] -= 1
            return delivery

    def _plan_next(self, schedule: Schedule, after: datetime) -> None:
        scheduled_at = self._expressions[schedule.name].next_after(after)
        if scheduled_at is not None:
            with self._lock:
                heapq.heappush(self._waiting, (scheduled_at, next(self._order), Delivery(schedule, scheduled_at, 1)))

    def _start(self, delivery: Delivery) -> None:
        name = delivery.schedule.name
        thread = threading.Thread(target=self._deliver, args=(delivery,), name=f"schedule-{name}", daemon=True)
        with self._lock:
            if sum(running == name for running in self._running.values()) >= MAX_RUNNING:
                logger.warning("schedule %s: %d invocations run still, this one is left out", name, MAX_RUNNING)
                return
            self._running[thread] = name
        thread.start()

    def _deliver(self, delivery: Delivery) -> None:
        try:
            self._invoke(delivery)
        finally:
            with self._lock:
                self._running.pop(threading.current_thread(), None)

    def _invoke(self, delivery: Delivery) -> None:
        schedule, started_at = delivery.schedule, self._clock.now()
        attempt = Attempt(delivery.scheduled_at, delivery.attempt, secrets.token_hex(8))
        request_id = new_request_id()
        outcome: BaseException | None = None
        try:
            event = build_event(schedule, attempt, self._region)
            self._invoker.invoke(schedule.function, event, request_id, trigger="schedule")
        except Exception as error:
            outcome = error
        milliseconds = (self._clock.now() - started_at).total_seconds() * 1000
        labels = (request_id, schedule.name, schedule.function.name, delivery.attempt)
        if outcome is None:
            logger.debug("%s schedule %s: %s ok, attempt %d, %.0f ms", *labels, milliseconds)
        else:
            logger.warning("%s schedule %s: %s failed, attempt %d, %.0f ms: %s", *labels, milliseconds, outcome)
            self._try_again(delivery)

    def _try_again(self, delivery: Delivery) -> None:
        schedule, now = delivery.schedule, self._clock.now()
        again_at = self._backoff.next_try_at(schedule, delivery.scheduled_at, delivery.attempt, now)
        with self._lock:
            is_room = self._retries[schedule.name] < MAX_WAITING_RETRIES
            if again_at is not None and is_room:
                self._retries[schedule.name] += 1
                again = Delivery(schedule, delivery.scheduled_at, delivery.attempt + 1)
                heapq.heappush(self._waiting, (again_at, next(self._order), again))
        if again_at is None or not is_room:
            logger.error("schedule %s: the occurrence of %s is given up", schedule.name, delivery.scheduled_at)
        self._woken.set()
