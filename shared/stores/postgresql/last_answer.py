"""When PostgreSQL answered last, known to all processes that were forked from one."""

from __future__ import annotations

import struct
import time
from mmap import mmap

_INSTANT = struct.Struct("d")


class LastAnswer:
    """Make it before processes are forked: what one of them notes, all of them know.

    Until the first answer it is the instant at which it was made.
    """

    def __init__(self) -> None:
        self._shared = mmap(-1, _INSTANT.size)
        self.note()

    def note(self) -> None:
        """PostgreSQL has answered just now."""
        _INSTANT.pack_into(self._shared, 0, time.monotonic())

    def seconds_ago(self) -> float:
        """For how long PostgreSQL has answered none of the processes."""
        [at] = _INSTANT.unpack_from(self._shared)
        return time.monotonic() - float(at)
