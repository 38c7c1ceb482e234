"""Runs a function's long computation in a native thread, so that the worker's loop goes on with everybody else."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from gevent.threadpool import ThreadPool

T = TypeVar("T")
HOOK = f"{__name__}:beside_the_loop"  # what functions find in OFFLOAD_HOOK
THREADS = 4


def beside_the_loop(call: Callable[[], T]) -> T:
    """What `call` answers; only the calling greenlet waits for it. It must let go of the interpreter's lock to be of use."""
    answer: T = _threads().apply(call)
    return answer


@cache
def _threads() -> Any:
    """Of this worker's own; the hub's resolve names, which must not wait for passwords."""
    return ThreadPool(THREADS)
