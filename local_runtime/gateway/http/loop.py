"""gevent's loop for the functions of a worker, bare: see shared.core.loop, whose protocol this is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gevent import get_hub, getcurrent

HOOK = f"{__name__}:gevent_loop"  # what functions find in LOOP_HOOK
_MOMENT_SECONDS = 0.001


class GeventLoop:
    """Of the thread that asks, which must be the one that all greenlets are of."""

    current = staticmethod(getcurrent)

    def pause(self) -> object:
        """See Loop."""
        return get_hub().switch()

    def resume(self, waiter: Any) -> None:
        """See Loop; when it waits again it comes back to the hub, which is here."""
        waiter.switch()

    def soon(self, call: Callable[..., object], *arguments: object) -> None:
        """See Loop."""
        get_hub().loop.run_callback(call, *arguments)

    def later(self, call: Callable[..., object]) -> None:
        """See Loop."""
        timer = get_hub().loop.timer(_MOMENT_SECONDS)
        timer.start(_once, timer, call)

    def watch(self, descriptor: int, readable: Callable[[], object]) -> Callable[[], object]:
        """See Loop."""
        watcher = get_hub().loop.io(descriptor, 1)
        watcher.start(readable)
        return _Ending(watcher)

    def every(self, seconds: float, call: Callable[[], object]) -> Callable[[], object]:
        """See Loop; what is still to be done does not keep a process alive."""
        timer = get_hub().loop.timer(seconds, seconds, ref=False)
        timer.start(call)
        return _Ending(timer)


class _Ending:
    """Ends a watcher, once."""

    def __init__(self, watcher: Any) -> None:
        self._watcher = watcher

    def __call__(self) -> None:
        self._watcher.stop()
        self._watcher.close()


def _once(timer: Any, call: Callable[[], object]) -> None:
    timer.close()
    call()


gevent_loop = GeventLoop()
