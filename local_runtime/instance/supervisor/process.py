"""What the supervisor needs to know of a process it keeps alive, whether a server of ours or one of the runtime's own."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

REFUSED = "refused"  # the member of a log line whose message tells the operator why there is no start


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """How to start, probe and stop one process.

    `env` is the whole environment of the process. `user` is the account to drop to (only ever set when running as root).
    `log_file` receives stdout and stderr; None lets them through to the supervisor's own.
    `probe` answers at once: True when the process serves; it is asked again and again until then, and never raises.
    `answers`, where there is one, is asked as long as it serves: a process that has not answered for long is started again.
    `may_start` puts a start off. `mend` is given what the process has written until soon after it began to serve; it says
    whether the process must be started again, because something was put right that it cannot put right itself.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    probe: Callable[[], bool]
    answers: Callable[[], bool] | None = field(default=None, kw_only=True)
    may_start: Callable[[], bool] = field(default=lambda: True, kw_only=True)
    mend: Callable[[str], bool] | None = field(default=None, kw_only=True)
    cwd: Path | None = None
    user: str | None = None
    log_file: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_seconds: float = 8.0
    ready_timeout_seconds: float = 60.0
    pass_fds: tuple[int, ...] = ()
