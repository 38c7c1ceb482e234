"""How many files and connections a process may have open at once."""

from __future__ import annotations

import contextlib
import resource

LEAST = 1024  # RabbitMQ never comes to serve with fewer than some hundreds, and says nothing of it
REMEDY = f"allow at least {LEAST}: `ulimit -n {LEAST}` in the shell, `LimitNOFILE=` in a systemd unit"


def allowed() -> int:
    """How many; -1 for no limit."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def allow_least() -> bool:
    """Have this process and those it starts be allowed LEAST, if it may; whether they are. More is for each to decide."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < LEAST:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (LEAST, hard))
    return not 0 <= allowed() < LEAST


def allow_most() -> None:
    """Have this process be allowed what it may."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
