"""One process that is kept alive: started, probed, started again after a death, stopped."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Protocol

from local_runtime.instance.supervisor.backoff import Backoff
from local_runtime.instance.supervisor.liveness import PATIENCE_SECONDS, Liveness
from local_runtime.instance.supervisor.logtail import LogTail
from local_runtime.instance.supervisor.process import ProcessSpec
from local_runtime.instance.supervisor.spawn import kill_group, kill_tree

PROBE_INTERVAL_SECONDS = 0.05
PUT_OFF_SECONDS = 1.0
MEND_SECONDS = 5.0  # until a process has written down what it met while it was starting


class Observer(Protocol):
    """Is told what happens to the processes; `tick` comes again and again while something is awaited."""

    def starting(self, name: str) -> None:
        """The process was started, but does not answer yet."""
        ...

    def ready(self, name: str, seconds: float) -> None:
        """It answers, `seconds` after it was started."""
        ...

    def ended(self, name: str, how: str, delay_seconds: float) -> None:
        """It ended without being asked to and will be started again after the delay."""
        ...

    def stopping(self, name: str) -> None:
        """It was asked to end."""
        ...

    def stopped(self, name: str, seconds: float) -> None:
        """It has ended, `seconds` after it was asked to."""
        ...

    def tick(self) -> None:
        """Time goes by."""
        ...


Spawn = Callable[[ProcessSpec], subprocess.Popen[bytes]]


class Child:
    """Never waits: `tend` does what is due at `now`, and `next_look_at` says when to come again."""

    def __init__(self, spec: ProcessSpec, spawn: Spawn, observer: Observer) -> None:
        self.spec = spec
        self.pid: int | None = None
        self.is_ready = False
        self.failed_starts = 0
        self.how_it_ended = ""
        self._spawn = spawn
        self._observer = observer
        self._backoff = Backoff()
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._ready_at = 0.0
        self._start_at: float | None = None
        self._asked_at: float | None = None
        self._log = LogTail(spec.log_file)
        self._liveness: Liveness | None = None
        self._mend_at: float | None = None

    def start(self, now: float) -> None:
        """Start it; a program that cannot be executed counts as one that died at once."""
        self.is_ready = False
        if not self.spec.may_start():
            self._start_at = now + PUT_OFF_SECONDS
            return
        self._start_at = None
        self._started_at = now
        self._log = LogTail(self.spec.log_file)
        try:
            self._process = self._spawn(self.spec)
        except (OSError, subprocess.SubprocessError, KeyError) as error:
            self._died(now, f"cannot be executed: {error}")
            return
        self.pid = self._process.pid
        self._observer.starting(self.spec.name)

    def tend(self, now: float) -> bool:
        """Notice a death or an answer, start it again when it is time; answers whether there is a new process."""
        if self._process is not None and (code := self._process.poll()) is not None:
            self._died(now, describe_exit(code))
        if self._process is None:
            if self._start_at is None or self._start_at > now:
                return False
            self.start(now)
            return self._process is not None
        if not self.is_ready:
            self._look(now)
        elif self._mend_at is not None and now >= self._mend_at:
            self._mend(now)
        elif self._liveness is not None and self._liveness.is_lost(now):
            self.replace(f"has not answered for {PATIENCE_SECONDS:g} s", now)
        return False

    def next_look_at(self, now: float) -> float | None:
        """When `tend` should be called again, whatever signals come; None: nothing is awaited."""
        if self._process is None:
            return self._start_at
        if not self.is_ready:
            return now + PROBE_INTERVAL_SECONDS
        looks = [self._mend_at, self._liveness.look_at if self._liveness is not None else None]
        return min((at for at in looks if at is not None), default=None)

    def ask_to_stop(self) -> None:
        """Send the stop signal, and start it never again."""
        self._start_at = None
        if self._process is not None:
            self._asked_at = time.monotonic()
            self._observer.stopping(self.spec.name)
            self._process.send_signal(self.spec.stop_signal)

    def has_stopped(self) -> bool:
        """Whether it is gone; then what it may have left of its group is gone, too."""
        if self._process is not None and self._process.poll() is not None:
            kill_group(self._process.pid)
            self._process = None
            if self._asked_at is not None:
                self._observer.stopped(self.spec.name, time.monotonic() - self._asked_at)
        return self._process is None

    def replace(self, why: str, now: float) -> None:
        """End it at once, to be started again when it may."""
        if self._process is not None:
            self.kill()
            self._died(now, why)

    def kill(self) -> None:
        """End it, and all that it has started, at once."""
        if self._process is not None:
            kill_tree(self._process)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)

    def log_tail(self) -> str:
        """The last lines it wrote since its last start."""
        return self._log.read()

    def _look(self, now: float) -> None:
        if self.spec.probe():
            self.is_ready = True
            self._ready_at = now
            self._mend_at = now + MEND_SECONDS if self.spec.mend is not None else None
            self._liveness = Liveness(self.spec.answers, now) if self.spec.answers is not None else None
            self.failed_starts = 0
            self._observer.ready(self.spec.name, now - self._started_at)
        elif now - self._started_at > self.spec.ready_timeout_seconds:
            self.kill()
            self._died(now, f"did not answer within {self.spec.ready_timeout_seconds:g} s")

    def _mend(self, now: float) -> None:
        self._mend_at = None
        if self.spec.mend is not None and self.spec.mend(self._log.read_all()):
            self.replace("was put right", now)

    def _died(self, now: float, how: str) -> None:
        if self._process is not None:
            kill_group(self._process.pid)
        healthy_seconds = now - self._ready_at if self.is_ready else 0.0
        self.failed_starts += not self.is_ready
        self._process = None
        self.is_ready = False
        self.how_it_ended = how
        delay = self._backoff.next_delay(healthy_seconds)
        self._start_at = now + delay
        self._observer.ended(self.spec.name, how, delay)


def describe_exit(code: int) -> str:
    """`-9` in words: `was killed by SIGKILL`."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
