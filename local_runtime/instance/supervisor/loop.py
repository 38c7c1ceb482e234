"""The supervisor: one loop, in the main thread, that sleeps until a process dies, a signal comes or something is due."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local_runtime.instance.supervisor.child import PROBE_INTERVAL_SECONDS, Child, Observer, describe_exit
from local_runtime.instance.supervisor.inbox import SignalInbox
from local_runtime.instance.supervisor.logtail import LogTail
from local_runtime.instance.supervisor.process import ProcessSpec
from local_runtime.instance.supervisor.spawn import kill_tree, spawn
from local_runtime.instance.supervisor.stale import end_marked

logger = logging.getLogger(__name__)

STOP_SECONDS = 9.0
TICK_SECONDS = 0.25
_STARTS_TRIED = 3  # what a killed instance has left may take a moment to let go of its files


class StartFailed(Exception):
    """A process does not come up; the message says how it ended, what it wrote last and where to read on."""

    def __init__(self, name: str, how: str, log_tail: str, log_file: Path | None) -> None:
        lines = [f"{name} cannot be started: it {how}"]
        if log_tail:
            lines += [f"  the end of {log_file}:", *(f"    {line}" for line in log_tail.splitlines())]
        super().__init__("\n".join(lines))
        self.name = name
        self.log_tail = log_tail


@dataclass(frozen=True, slots=True)
class StopStage:
    """Processes that end together; however long earlier stages take, these have at least `least_seconds`."""

    names: tuple[str, ...]
    least_seconds: float = 0.0


class StopRequested(Exception):
    """A signal asked for the end while something was still being started."""


class Supervisor:
    """Launch processes, wait until they answer, watch over them, stop them.

    `on_change` is called with the names and pids whenever a process was replaced while being watched, again and again until it
    raises no OSError, and `on_restart` with the name of a process that died and was started again.
    """

    def __init__(
        self,
        inbox: SignalInbox,
        observer: Observer,
        marker: tuple[str, str],
        on_change: Callable[[Mapping[str, int]], object] = lambda _processes: None,
        on_restart: Callable[[str], object] = lambda _name: None,
    ) -> None:
        self._inbox = inbox
        self._observer = observer
        self._marker = marker
        self._on_change = on_change
        self._on_restart = on_restart
        self._children: dict[str, Child] = {}
        self._is_untold, self._untold_reason = False, ""

    @property
    def processes(self) -> dict[str, int]:
        """The newest pid of every process that was ever started."""
        return {name: child.pid for name, child in self._children.items() if child.pid is not None}

    def launch(self, *specs: ProcessSpec) -> None:
        """Start these processes without waiting for them."""
        for spec in specs:
            child = Child(spec, self._spawn, self._observer)
            self._children[spec.name] = child
            child.start(time.monotonic())

    def wait_ready(self) -> None:
        """Wait until all that was launched answers. Raises StartFailed or StopRequested."""
        while not all(child.is_ready for child in self._children.values()):
            self._observer.tick()
            self._step(PROBE_INTERVAL_SECONDS)
            for child in self._children.values():
                if child.failed_starts >= _STARTS_TRIED:
                    raise StartFailed(child.spec.name, child.how_it_ended, child.log_tail(), child.spec.log_file)
            self._check_stop()

    def run_once(self, spec: ProcessSpec) -> None:
        """Run a process to its end, which must be a good one and come within its `ready_timeout_seconds`.

        Raises StartFailed or StopRequested.
        """
        log, started_at = LogTail(spec.log_file), time.monotonic()
        ends_at = started_at + spec.ready_timeout_seconds
        try:
            process = self._spawn(spec)
        except (OSError, subprocess.SubprocessError, KeyError) as error:
            raise StartFailed(spec.name, f"cannot be executed: {error}", "", spec.log_file) from None
        self._observer.starting(spec.name)
        try:
            while process.poll() is None and time.monotonic() < ends_at:
                self._observer.tick()
                self._step(PROBE_INTERVAL_SECONDS)
                self._check_stop()
            code = process.poll()
        finally:
            kill_tree(process)
            process.wait()
        if code != 0:
            how = describe_exit(code) if code is not None else f"did not end within {spec.ready_timeout_seconds:g} s"
            raise StartFailed(spec.name, how, log.read(), spec.log_file)
        self._observer.ready(spec.name, time.monotonic() - started_at)

    def replace(self, *specs: ProcessSpec) -> None:
        """End these processes gently, start them anew as the specs say and wait until they answer; the rest carry on.

        What they have inherited (a listening socket) stays open meanwhile: whoever comes waits. Raises StopRequested.
        """
        names = [spec.name for spec in specs]
        leaving = [self._children[name] for name in names]
        self._stop_stage(leaving, time.monotonic() + STOP_SECONDS, self._inbox.stop_requests)
        self._check_stop()
        self.launch(*specs)
        while not all(self._children[name].is_ready for name in names):
            self._step(PROBE_INTERVAL_SECONDS)
            self._tell()
            self._check_stop()

    def restart(self, name: str, why: str) -> None:
        """End a process at once, where there is one of that name; it is started again as soon as it may."""
        if name in self._children:
            self._children[name].replace(why, time.monotonic())

    def watch(self, on_reload: Callable[[], object] = lambda: None, on_tick: Callable[[], object] = lambda: None) -> None:
        """Keep everything alive until a signal asks for the end; RELOAD_SIGNAL asks for `on_reload`.

        `on_tick` is called several times a second, and must not wait.
        """
        while not self._inbox.stop_requests:
            if self._inbox.reload_requests:
                self._inbox.reload_requests = 0
                on_reload()
                self._is_untold = True
            else:
                self._step(TICK_SECONDS)
            self._tell()
            on_tick()
            self._observer.tick()

    def stop(self, stages: Sequence[StopStage], seconds: float = STOP_SECONDS) -> None:
        """End the processes stage by stage, what no stage names last; another signal meanwhile ends everything at once."""
        ends_at = time.monotonic() + seconds
        patience = self._inbox.stop_requests
        named = {name for stage in stages for name in stage.names}
        rest = StopStage(tuple(name for name in self._children if name not in named))
        left_for_later = sum(stage.least_seconds for stage in stages)
        for stage in (*stages, rest):
            left_for_later -= stage.least_seconds
            children = [self._children[name] for name in stage.names if name in self._children]
            self._stop_stage(children, ends_at - left_for_later, patience)
        for child in self._children.values():
            child.kill()
            child.has_stopped()
        end_marked(self._marker)

    def _stop_stage(self, children: Sequence[Child], ends_at: float, patience: int) -> None:
        asked_at = time.monotonic()
        for child in children:
            child.ask_to_stop()
        while waiting := [child for child in children if not child.has_stopped()]:
            now = time.monotonic()
            for child in waiting:
                if now >= min(asked_at + child.spec.stop_timeout_seconds, ends_at) or self._inbox.stop_requests > patience:
                    child.kill()
            self._observer.tick()
            self._inbox.wait(PROBE_INTERVAL_SECONDS)

    def _tell(self) -> None:
        """Of a change, again and again until it is taken: a full disk is no reason to leave the processes alone."""
        if not self._is_untold:
            return
        try:
            self._on_change(self.processes)
        except OSError as error:
            if self._untold_reason != str(error):
                logger.warning("what runs cannot be noted: %s", error)
            self._untold_reason = str(error)
        else:
            self._is_untold, self._untold_reason = False, ""

    def _spawn(self, spec: ProcessSpec) -> subprocess.Popen[bytes]:
        return spawn(spec, self._marker)

    def _check_stop(self) -> None:
        if self._inbox.stop_requests:
            raise StopRequested

    def _step(self, longest: float | None) -> None:
        """Sleep until something is due, then do it."""
        now = time.monotonic()
        looks = [at for child in self._children.values() if (at := child.next_look_at(now)) is not None]
        waits = [max(0.0, at - now) for at in looks] + ([longest] if longest is not None else [])
        self._inbox.wait(min(waits, default=None))
        now = time.monotonic()
        replaced = [child for child in self._children.values() if child.tend(now)]
        for child in replaced:
            self._on_restart(child.spec.name)
        self._is_untold |= bool(replaced)
