"""Ends a handler that takes longer than its template allows, in a greenlet or in a process of threads."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
EXIT_OVERRUN = 70
LOOK_SECONDS = 0.5  # the timeouts of functions are whole seconds


class DeadlineExceeded(Exception):
    """The call did not end within its time."""


class Deadline(Protocol):
    """Runs a call within a number of seconds."""

    def run(self, call: Callable[[], Answer], seconds: float, label: str) -> Answer:
        """Give back what `call` gives back; raise DeadlineExceeded (or end the process) when it overruns."""
        ...


class GeventDeadline:
    """Interrupts the calling greenlet at its next switch; a handler that never switches is left to the worker's own timeout.

    One timer looks at all calls twice a second: one for each would cost more than most of the calls. It belongs to the
    process that makes the first call, which must not fork afterwards.
    """

    def __init__(self) -> None:
        from gevent import getcurrent

        self._current = getcurrent
        self._running: dict[_Overrun, tuple[float, Any]] = {}
        self._timer: Any = None

    def run(self, call: Callable[[], Answer], seconds: float, label: str) -> Answer:
        """See Deadline."""
        if self._timer is None:
            self._watch()
        overrun = _Overrun()
        self._running[overrun] = (time.monotonic() + seconds, self._current())
        try:
            return call()
        except _Overrun as raised:
            if raised is not overrun:
                raise
            raise DeadlineExceeded(label) from None
        finally:
            self._running.pop(overrun, None)

    def _watch(self) -> None:
        from gevent import get_hub

        self._timer = get_hub().loop.timer(LOOK_SECONDS, LOOK_SECONDS, ref=False)
        self._timer.start(self._look)

    def _look(self) -> None:
        """In the hub, from where a greenlet may be thrown at."""
        now = time.monotonic()
        for overrun, (ends_at, greenlet) in list(self._running.items()):
            if ends_at <= now and self._running.pop(overrun, None) is not None:
                greenlet.throw(overrun)


class _Overrun(BaseException):
    """Interrupts one call; handlers that catch every Exception do not catch this."""


class ProcessDeadline:
    """Ends the whole process when a call overruns: a thread cannot be stopped, and Lambda destroys the sandbox, too.

    Whatever the process had not acknowledged comes back to the one that is started in its place.
    """

    def __init__(self, end_process: Callable[[int], object] = os._exit) -> None:
        self._end_process = end_process
        self._changed = threading.Condition()
        self._running: dict[object, tuple[float, str]] = {}
        self._watchdog: threading.Thread | None = None

    def run(self, call: Callable[[], Answer], seconds: float, label: str) -> Answer:
        """See Deadline."""
        token = object()
        with self._changed:
            self._running[token] = (time.monotonic() + seconds, label)
            if self._watchdog is None:
                self._watchdog = threading.Thread(target=self._watch, name="deadline", daemon=True)
                self._watchdog.start()
            self._changed.notify()
        try:
            return call()
        finally:
            with self._changed:
                self._running.pop(token, None)

    def _watch(self) -> None:
        while True:
            with self._changed:
                now = time.monotonic()
                overrun = [label for ends_at, label in self._running.values() if ends_at <= now]
                if not overrun:
                    wait = min((ends_at - now for ends_at, _ in self._running.values()), default=None)
                    self._changed.wait(wait)
                    continue
                self._running.clear()
            logger.critical("function overran its timeout, ending the process: %s", ", ".join(overrun))
            self._end_process(EXIT_OVERRUN)
