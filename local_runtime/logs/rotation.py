"""A log file that several processes write to, and that must not fill the disk."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

STREAMS = (1, 2)


class LogFile:
    """Stands behind stdout and stderr of this process: `tend`, called now and then, follows or makes its replacement.

    When it is full it becomes `<name>.1`, in place of an older one, and everybody goes on with a new one. No line is lost, for
    whoever has not noticed yet writes to the old one.
    """

    def __init__(self, path: Path, max_bytes: int, streams: tuple[int, ...] = STREAMS) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._streams = streams

    def tend(self) -> None:
        """Cheap when there is nothing to do."""
        with suppress(OSError):  # a full disk, say: then it goes on as it is
            own = os.fstat(self._streams[-1])
            if self._is_current(own) and (own.st_size <= self._max_bytes or not self._retire(own)):
                return
            self._reopen()

    def _is_current(self, own: os.stat_result) -> bool:
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        return (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino)

    def _retire(self, own: os.stat_result) -> bool:
        """Give the file another name, unless another process is just doing so. The lock is the file's own, not the path's."""
        descriptor = os.open(self._path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._is_current(own):
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True

    def _reopen(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for stream in self._streams:
            os.dup2(descriptor, stream)
        os.close(descriptor)
