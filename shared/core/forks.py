"""Forked processes: what a child must not go on using, because it is its parent's: connections, and the process's name."""

from __future__ import annotations

import os
import secrets
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


_name = ""


def process_name() -> str:
    """A name of this process that no other one has, on whichever machine; a forked child has another one."""
    return _name or _new_name()


def _new_name() -> str:
    global _name  # noqa: PLW0603 - one process, one name
    os.register_at_fork(after_in_child=_forget_name)
    _name = secrets.token_hex(4)
    return _name


def _forget_name() -> None:
    global _name  # noqa: PLW0603
    _name = ""
