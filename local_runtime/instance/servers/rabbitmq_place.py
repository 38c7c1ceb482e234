"""Lets a broker's files be moved: each quorum queue notes the absolute path of its own directory."""

from __future__ import annotations

import re
from pathlib import Path

from local_runtime.instance.servers.certificates import write_private

# `data_dir => "/a/path"`; long ones are cut into several strings, others than Latin ones are lists of code points.
_NOTED = re.compile(rb'\b((?:wal_)?data_dir\s*=>\s*)((?:"(?:[^"\\]|\\.)*"\s*)+|\[[\d,\s]*\])')


def correct_places(mnesia: Path) -> list[Path]:
    """Have every queue below RabbitMQ's database directory look where it is now; returns the files that were changed.

    Without it a moved broker answers 541 to everything that asks for a queue, and writes at the old path again.
    """
    changed = []
    for noted in mnesia.glob("*/*/*/*/config"):  # <node>/quorum/<node>/<queue>/config
        before = noted.read_bytes()
        after = _with_place(before, str(noted.parent.parent))
        if after != before:
            write_private(noted, after)
            changed.append(noted)
    return changed


def _with_place(configuration: bytes, place: str) -> bytes:
    points = f"[{','.join(str(ord(sign)) for sign in place)}]".encode()
    spellings = {points, f'"{place}"'.encode(), f'"{place}"'.encode("latin-1", errors="replace")}
    return _NOTED.sub(lambda found: found[0] if found[2].strip() in spellings else found[1] + points, configuration)
