"""Forked processes: what a child must not go on using, because it is its parent's connection."""

from __future__ import annotations

import os
from collections.abc import Callable
from weakref import WeakMethod


def in_every_child(forget: Callable[[], None]) -> None:
    """Have a bound method called in each child that is forked from now on, as long as its object lives.

    Asking for the process's number at each use instead would be a system call each time.
    """
    method = WeakMethod(forget)

    def call() -> None:
        bound = method()
        if bound is not None:
            bound()

    os.register_at_fork(after_in_child=call)
