"""A command as a user sees it: in a terminal of its own (a pty), or with its output in a pipe."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from typing import Self

from tests.support.product import ROOT, clean_environment
from tests.support.waiting import eventually

ENTER_SCREEN, LEAVE_SCREEN = "\x1b[?1049h", "\x1b[?1049l"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Shown:
    """`python -m local_runtime` with these arguments; `columns` wide in a terminal, None for a pipe. Ended with the block."""

    def __init__(self, *arguments: str, columns: int | None = None, **environment: str) -> None:
        self._argv = [sys.executable, "-m", "local_runtime", *arguments]
        self._environment = {"TERM": "xterm-256color", **clean_environment(), **environment}
        self._columns = columns
        self._received = bytearray()

    def __enter__(self) -> Self:
        self._reader, writer = os.pipe() if self._columns is None else pty.openpty()
        if self._columns is not None:
            fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 40, self._columns, 0, 0))
        self.process = subprocess.Popen(
            self._argv, cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, stdout=writer, stderr=writer
        )
        os.close(writer)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._thread.join()
        os.close(self._reader)

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # how a pty says that nobody writes any more
            while part := os.read(self._reader, 65536):
                self._received += part

    @property
    def raw(self) -> str:
        """Everything so far, as it came."""
        return self._received.decode(errors="replace")

    @property
    def text(self) -> str:
        """Everything so far, without what moves the cursor and colours."""
        return _CONTROL.sub("", self.raw)

    @property
    def lines(self) -> list[str]:
        """Of the text, those that are whole."""
        return self.text.split("\n")[:-1]

    def wait_for(self, part: str, seconds: float = 60.0) -> None:
        """Until this was shown."""
        try:
            eventually(lambda: part in self.text, seconds, f"{part!r} was shown")
        except AssertionError as error:
            raise AssertionError(f"{error}; the terminal shows:\n{self.text[-3000:]}") from None

    def interrupt(self, signal_number: signal.Signals = signal.SIGINT) -> int:
        """Ctrl-C; answers the exit code, when all it wrote was read."""
        self.process.send_signal(signal_number)
        return self.wait()

    def wait(self, seconds: float = 60.0) -> int:
        """The exit code, when all it wrote was read."""
        code = self.process.wait(seconds)
        self._thread.join(seconds)
        return code
