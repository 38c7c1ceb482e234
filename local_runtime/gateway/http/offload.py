"""Runs a function's long computation in a native thread, so that the worker's loop goes on with everybody else."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from gevent.threadpool import ThreadPool

T = TypeVar("T")
HOOK = f"{__name__}:beside_the_loop"  # what functions find in OFFLOAD_HOOK
THREADS = 4
NICENESS = 5  # a third of the weight of the loop, where both want the same core


def beside_the_loop(call: Callable[[], T]) -> T:
    """What `call` answers; only the calling greenlet waits for it. It must let go of the interpreter's lock to be of use."""
    answer: T = _threads().apply(_giving_way, (call,))
    return answer


def _giving_way(call: Callable[[], T]) -> T:
    if sys.platform == "linux":  # where threads have a niceness each
        os.setpriority(os.PRIO_PROCESS, 0, max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
    return call()


@cache
def _threads() -> Any:
    """Of this worker's own; the hub's resolve names, which must not wait for passwords."""
    return ThreadPool(THREADS)
