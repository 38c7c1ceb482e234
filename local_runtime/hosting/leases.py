"""What one of several instances on the same stores does at a time, and whether this one may do it now.

The layer keeps the leases; a function asks for them. A holder that cannot ask goes on until its leases have expired by its own
clock, which is before another one can take them, and then pauses.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local_runtime.hosting.invoker import Invoker
from local_runtime.hosting.manifest import Manifest, QueueBinding

RENEW_SECONDS, STANDBY_SECONDS = 2.0, 1.0
MARGIN_SECONDS = 1.0  # of a lease: what it takes to stop
STOP_SECONDS = 3.0
ASIDE_SECONDS = 12.0  # long enough for another instance to find the lease free
SCHEDULES = "schedules"
Ask = Callable[[Mapping[str, Any]], Mapping[str, Any]]
logger = logging.getLogger(__name__)


def elapsed() -> float:
    """Seconds by a clock that cannot be set, and that goes on while the machine sleeps where there is one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def queue_lease(binding: QueueBinding) -> str:
    """The name of the lease on a queue: it has one consumer at a time, as on AWS."""
    return f"queue:{binding.queue}" if binding.virtual_host == "/" else f"queue:{binding.virtual_host}/{binding.queue}"


def presence(instance_id: str) -> str:
    """The name of the lease that says that this instance is there."""
    return f"instance:{instance_id}"


def function_for_leases(manifest: Manifest, invoker: Invoker) -> Ask | None:
    """What to ask; None when no function holds leases: then there is but one instance."""
    for function in manifest.functions:
        if function.invoke_for_leases:
            return lambda request: invoker.invoke(function, request, trigger="lease")
    return None


class Leases:
    """The leases of a process, asked for regularly in a thread of its own from `start` until `release`."""

    def __init__(self, ask: Ask | None, names: Sequence[str], clock: Callable[[], float] = elapsed) -> None:
        self._ask = ask
        self._names = tuple(names)
        self._clock = clock
        self._until = dict.fromkeys(self._names, float("-inf"))
        self._aside = dict.fromkeys(self._names, float("-inf"))
        self._answered_at = float("-inf")
        self._told: dict[str, str] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def start(self) -> None:
        """Ask for the first time, then again and again."""
        if self._ask is not None:
            self.renew()
            self._thread.start()

    def holds(self, name: str) -> bool:
        """Whether this instance may do it now."""
        return self._ask is None or self._until[name] > self._clock()

    def step_aside(self, name: str) -> None:
        """Let the lease expire, and give others the time to take it: what fails here may work there, with other keys say.

        Nothing is changed while the store of the leases does not answer.
        """
        now = self._clock()
        if self._ask is not None and now - self._answered_at < RENEW_SECONDS + MARGIN_SECONDS:
            self._aside[name] = now + ASIDE_SECONDS
            self._until[name] = float("-inf")
            self._tell(name, "left to another instance for a while", logging.WARNING)

    def release(self) -> None:
        """Let others take over at once; what was held must have ended."""
        if self._ask is None:
            return
        self._stopping.set()
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive() or not any(map(self.holds, self._names)):
            return  # the store does not answer, or there is nothing to give back
        self._until = dict.fromkeys(self._names, float("-inf"))
        try:
            self._ask({"names": list(self._names), "release": True})
        except Exception as error:
            logger.warning("leases are not released, and expire by themselves: %s", error)

    def renew(self) -> None:
        """Ask once."""
        if self._ask is None:
            return
        asked_at = self._clock()
        names = [name for name in self._names if self._aside[name] <= asked_at]
        if not names:
            return
        try:
            answer = self._ask({"names": names})
        except Exception as error:
            self._tell("", f"leases cannot be asked for: {error}", logging.WARNING)
            return
        if answer.get("away"):
            self._tell("", "PostgreSQL is away: what this instance holds it holds until it expires", logging.WARNING)
            return
        self._tell("", "leases are asked for", logging.DEBUG)
        self._answered_at = asked_at
        for name in names:
            if self._aside[name] > asked_at:
                continue  # it was left meanwhile
            is_held = name in answer["held"]
            self._until[name] = asked_at + answer["seconds"] - MARGIN_SECONDS if is_held else float("-inf")
            self._tell(name, "held" if is_held else f"instance {answer['others'].get(name, 'unknown')} has it", logging.INFO)

    def _run(self) -> None:
        while not self._stopping.wait(RENEW_SECONDS if all(map(self.holds, self._names)) else STANDBY_SECONDS):
            self.renew()

    def _tell(self, name: str, state: str, level: int) -> None:
        """One line for every change."""
        if self._told.get(name) != state:
            logger.log(level, "lease %s: %s" if name else "%s%s", name, state)
        self._told[name] = state
