"""Signals as something a loop can wait for: no work is done in a handler, and none is missed between two looks."""

from __future__ import annotations

import contextlib
import select
import signal
import socket
from types import FrameType
from typing import Self

STOP_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
RELOAD_SIGNAL = signal.SIGUSR1
_WATCHED = (*STOP_SIGNALS, RELOAD_SIGNAL, signal.SIGCHLD)


class SignalInbox:
    """Collects SIGCHLD and the signals that ask for an end or for new keys; only in the main thread, as a context manager."""

    def __init__(self) -> None:
        self.stop_requests = 0
        self.reload_requests = 0
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)

    def __enter__(self) -> Self:
        self._wakeup_before = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        # Under nohup a closed terminal is no reason to stop.
        watched = [n for n in _WATCHED if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]
        self._handlers_before = {number: signal.signal(number, _ignore) for number in watched}
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        self._receiver.close()
        self._sender.close()

    def wait(self, seconds: float | None) -> None:
        """Sleep until a signal comes or the time is over (None: for as long as it takes)."""
        select.select([self._receiver], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            for number in self._receiver.recv(4096):
                self.stop_requests += number in STOP_SIGNALS
                self.reload_requests += number == RELOAD_SIGNAL


def _ignore(_number: int, _frame: FrameType | None) -> None:
    # Not SIG_IGN: an ignored signal wakes nobody, and children would inherit it.
    return
