"""Long computations beside the event loop of whatever hosts the functions, a few at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from shared.core.errors import TooBusy
from shared.core.hooks import find_hook
from shared.core.platform import Offload

T = TypeVar("T")


def in_place(call: Callable[[], T]) -> T:
    """Where one request is served at a time, as on Lambda, nobody waits for another's computation."""
    return call()


def find_offload(hook: str) -> Offload:
    """The host's function named `module:function`, or `in_place` for ""; raises ConfigurationError."""
    if not hook:
        return in_place
    offload: Offload = find_hook("OFFLOAD_HOOK", hook)
    return offload


class BoundedOffload:
    """At most `at_once` calls run, at most `waiting` more wait their turn; who comes on top of that is sent away with TooBusy.

    So a flood costs neither memory nor the time of those who wait already.
    """

    def __init__(self, offload: Offload, *, at_once: int, waiting: int) -> None:
        self._offload = offload
        self._turns = threading.BoundedSemaphore(at_once)
        self._places = threading.BoundedSemaphore(at_once + waiting)

    def run(self, call: Callable[[], T]) -> T:
        """What `call` answers; it must not raise, for a host may run it where nobody sees that."""
        if not self._places.acquire(blocking=False):
            raise TooBusy
        try:
            with self._turns:
                return self._offload(call)
        finally:
            self._places.release()
