"""Backends of a PostgreSQL whose postmaster is gone: they end by themselves unless they hang, and keep the next from starting.

Each is the leader of a session of its own and writes its title over its environment, so neither its group nor a variable tells
whose it is. Its working directory does: it is the cluster.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from local_runtime.instance.supervisor.tree import parents

_PROC = Path("/proc")
_TITLE = b"postgres: "  # that of a backend; a postmaster shows its command line
_END_SECONDS = 2.0


class Orphans:
    """Of one cluster; none is found where there is no /proc."""

    def __init__(self, cluster: Path) -> None:
        self._cluster = cluster
        self._killed: set[int] = set()

    def have_gone(self) -> bool:
        """SIGKILL to those there are, without waiting; False where some were met for the first time."""
        found = self._find()
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        # One that a disk holds even now cannot be waited for: then the new server says what is wrong.
        have_gone = found <= self._killed
        self._killed = found
        return have_gone

    def end(self) -> None:
        """SIGKILL to all, and wait until they are gone, but not long."""
        ends_at = time.monotonic() + _END_SECONDS
        while self._find() and time.monotonic() < ends_at:
            self.have_gone()
            time.sleep(0.01)

    def _find(self) -> set[int]:
        return {pid for pid, parent in parents().items() if self._is_backend(pid) and not self._is_here(parent)}

    def _is_backend(self, pid: int) -> bool:
        try:
            return (_PROC / str(pid) / "cmdline").read_bytes().startswith(_TITLE) and self._is_here(pid)
        except OSError:
            return False

    def _is_here(self, pid: int) -> bool:
        try:
            return (_PROC / str(pid) / "cwd").samefile(self._cluster)
        except OSError:
            return False
