"""The event loop of whatever hosts the functions, where it runs all of them in one thread and lets others in while one waits."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

from shared.core.clock import Offload
from shared.core.errors import ConfigurationError, TooBusy

Waiter = Any  # whoever waits, as the loop knows them
T = TypeVar("T")


class Loop(Protocol):
    """With it nobody needs a lock, and to wait and to be woken costs a fraction of what the standard library's means do.

    What it calls runs in the loop itself and must not wait for anything.
    """

    def current(self) -> Waiter:
        """Whoever is running."""
        ...

    def pause(self) -> object:
        """Let the others run until somebody resumes this one, or throws at it."""
        ...

    def resume(self, waiter: Waiter) -> None:
        """In the loop: let one who is paused run until it waits again."""
        ...

    def soon(self, call: Callable[..., object], *arguments: object) -> None:
        """Call it when those who can run now have run."""
        ...

    def later(self, call: Callable[..., object]) -> None:
        """Call it in a moment, a millisecond or so."""
        ...

    def watch(self, descriptor: int, readable: Callable[[], object]) -> Callable[[], object]:
        """Call `readable` whenever there is something to be read, until what this gives back is called."""
        ...

    def every(self, seconds: float, call: Callable[[], object]) -> Callable[[], object]:
        """Call it again and again, until what this gives back is called."""
        ...


def find_loop(hook: str) -> Loop | None:
    """The loop of the host, `module:object`, None for ""; raises ConfigurationError."""
    return cast("Loop", find_hook("LOOP_HOOK", hook)) if hook else None


class LoopEvent:
    """What threading.Event is, on a loop: those who wait are woken in one go."""

    __slots__ = ("_is_set", "_loop", "_waiters")

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._is_set = False
        self._waiters: dict[Waiter, None] = {}

    def set(self) -> None:
        """See threading.Event."""
        self._is_set = True
        if self._waiters:
            self._loop.soon(self._resume_all)

    def wait(self, timeout: float | None = None) -> bool:
        """See threading.Event."""
        if self._is_set:
            return True
        waiter = self._loop.current()
        self._waiters[waiter] = None
        end = None if timeout is None else self._loop.every(timeout, lambda: self._resume(waiter))
        try:
            while not self._is_set and waiter in self._waiters:
                self._loop.pause()
        finally:
            self._waiters.pop(waiter, None)
            if end is not None:
                end()
        return self._is_set

    def _resume_all(self) -> None:
        for waiter in list(self._waiters):
            self._resume(waiter)

    def _resume(self, waiter: Waiter) -> None:
        """Unless it was thrown at meanwhile."""
        if waiter in self._waiters:
            del self._waiters[waiter]
            self._loop.resume(waiter)


def find_hook(setting: str, hook: str) -> Any:
    """The object that `hook`, the value of a setting, names; raises ConfigurationError."""
    module, _, name = hook.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise ConfigurationError(f"{setting} cannot be used: {error}") from None


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
