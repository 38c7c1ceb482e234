"""Finds processes of an instance whose supervisor is gone, by a variable in their environment that all of them carry."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

MARKER_NAME = "SCOREBOARD_INSTANCE"
_PROC = Path("/proc")
_END_SECONDS = 2.0
_REAP_SECONDS = 5.0


def instance_marker(data_dir: Path) -> tuple[str, str]:
    """The variable that says which data directory a process belongs to."""
    return MARKER_NAME, hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:32]


def marked_processes(marker: tuple[str, str]) -> list[int]:
    """The processes that carry the marker, without our own; only those whose environment we may read."""
    wanted = "=".join(marker)
    return [pid for pid, environment in _environments() if wanted in environment and pid != os.getpid()]


def end_marked(marker: tuple[str, str]) -> list[int]:
    """SIGKILL to all that carry the marker and wait until they are gone; answers their pids."""
    found: set[int] = set()
    ends_at = time.monotonic() + _END_SECONDS
    while (pids := marked_processes(marker)) and time.monotonic() < ends_at:
        found.update(pids)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    return sorted(found)


def wait_reaped(pids: Iterable[int]) -> None:
    """Wait until no process with these ids is a zombie: programs that keep a pid file take one for alive."""
    ends_at = time.monotonic() + _REAP_SECONDS
    while any(_is_zombie(pid) for pid in pids) and time.monotonic() < ends_at:
        time.sleep(0.02)


def _is_zombie(pid: int) -> bool:
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def _environments() -> Iterator[tuple[int, str]]:
    if not _PROC.joinpath("self/environ").exists():
        yield from _environments_from_ps()
        return
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(entry.name), entry.joinpath("environ").read_bytes().decode(errors="replace")


def _environments_from_ps() -> Iterator[tuple[int, str]]:
    listing = subprocess.run(["ps", "axeww", "-o", "pid=,command="], capture_output=True, text=True, check=False)  # noqa: S607
    for line in listing.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        if pid.isdigit():
            yield int(pid), command
