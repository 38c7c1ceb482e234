"""Which processes descend from another one, whatever groups and sessions they have made for themselves."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")


def descendants(pid: int) -> set[int]:
    """All processes below `pid`, as long as it runs: who survives a parent becomes somebody else's child."""
    children: dict[int, list[int]] = {}
    for child, parent in parents().items():
        children.setdefault(parent, []).append(child)
    found: set[int] = set()
    queue = [pid]
    while queue:
        below = children.get(queue.pop(), [])
        found.update(below)
        queue += below
    return found


def parents() -> dict[int, int]:
    """The parent of every process, by pid."""
    return dict(_parents_from_proc() if _PROC.joinpath("self/stat").exists() else _parents_from_ps())


def _parents_from_proc() -> Iterator[tuple[int, int]]:
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(entry.name), int(entry.joinpath("stat").read_bytes().rpartition(b")")[2].split()[1])


def _parents_from_ps() -> Iterator[tuple[int, int]]:
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False)  # noqa: S607
    for line in listing.stdout.splitlines():
        pid, parent = line.split()
        yield int(pid), int(parent)
