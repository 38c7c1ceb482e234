"""Count whoever shows a password, whatever for, and slow down those who guess."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import Unavailable
from shared.ports import LoginThrottle


@contextmanager
def counted_attempt(throttle: LoginThrottle, username: str, source_ip: str) -> Iterator[None]:
    """Around looking at a password: a failure, until the throttle is told that it succeeded; raises TooManyAttempts.

    What an outage or a busy hasher cuts off was no guess: whoever tries again is not to wait for that.
    """
    throttle.attempt(username, source_ip)
    try:
        yield
    except Unavailable:
        throttle.withdraw(username, source_ip)
        raise
