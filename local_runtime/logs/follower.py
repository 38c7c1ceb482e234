"""Reads on in the log files of an instance, for those who sit at its console."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from local_runtime.logs.servers import server_line
from local_runtime.logs.text import parsed

READ_BYTES = 1024 * 1024
MOST_AT_ONCE = 20
LEAVE_SECONDS = 2.0  # after a rotation, which other processes notice within a second
_LEVEL_AT = len('{"at":"2026-11-24T12:00:00.123Z",')  # every line of ours begins with "at" and goes on with "level"
_ORDINARY = {logging.INFO: (b'"level":"debug"',), logging.WARNING: (b'"level":"info"', b'"level":"debug"')}


class LogFollower:
    """Of all logs in a directory, or of those with these `names`: `poll` gives `show` the lines since the last time, from a level
    on, and of more than `most` in a file only their number.
    """

    def __init__(
        self,
        directory: Path,
        level: str,
        show: Callable[[dict[str, Any]], object],
        *,
        names: Collection[str] = (),
        most: int = MOST_AT_ONCE,
    ) -> None:
        self._directory = directory
        self._level = logging.getLevelNamesMapping()[level]
        self._show = show
        self._names = names
        self._most = most
        self._files: dict[Path, _Followed] = {}
        self.follow(self._there())

    def follow(self, paths: Iterable[Path]) -> None:
        """These, too, from what they say next on."""
        self._files |= {path: _Followed(path, from_end=True) for path in paths}

    def leave(self, paths: Iterable[Path]) -> None:
        """These no more."""
        for path in paths:
            file = self._files.pop(path, None)
            if file is not None:
                file.close()

    def poll(self) -> None:
        """Never waits for anything but the disk."""
        for path in self._there():
            if path not in self._files:
                self._files[path] = _Followed(path, from_end=False)
        wanted: list[dict[str, Any]] = []
        for path, file in self._files.items():
            left_out = 0
            for shown, line in enumerate(self._wanted(path.stem, file)):
                if shown < self._most:
                    wanted.append(line)
                else:
                    left_out += 1
            if left_out:
                told = {"level": "warning", "process": path.stem, "message": f"and {left_out} lines more like these in {path}"}
                wanted.append({"at": _now(), **told})
        for line in sorted(wanted, key=lambda line: str(line["at"])):
            self._show(line)

    def close(self) -> None:
        """Read no more."""
        for file in self._files.values():
            file.close()

    def _there(self) -> list[Path]:
        try:
            with os.scandir(self._directory) as entries:
                names = [entry.name for entry in entries if entry.name.endswith(".log")]
        except OSError:
            return []
        return [self._directory / name for name in names if not self._names or name.removesuffix(".log") in self._names]

    def _wanted(self, process: str, file: _Followed) -> Iterator[dict[str, Any]]:
        ordinary = _ORDINARY.get(self._level, ())
        for text in file.lines():
            if text.startswith(ordinary, _LEVEL_AT):
                continue
            decoded = text.decode(errors="replace")
            line = parsed(decoded) or server_line(process, decoded, _now())
            if logging.getLevelNamesMapping().get(str(line.get("level")).upper(), logging.INFO) >= self._level:
                yield line


class _Reader:
    """Of one file, whatever it is called by now."""

    def __init__(self, path: Path, *, from_end: bool = False) -> None:
        self._file = path.open("rb", buffering=0)
        self._rest = b""
        if from_end:
            self._file.seek(0, os.SEEK_END)

    def lines(self) -> Iterator[bytes]:
        """Whole lines that are new; of a file that somebody has emptied all of them."""
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._file.seek(0)
            self._rest = b""
        while read := self._file.read(READ_BYTES):
            *lines, self._rest = (self._rest + read).split(b"\n")
            yield from filter(None, lines)

    def last_lines(self) -> Iterator[bytes]:
        """New lines, and what is left of one that nobody has finished."""
        yield from self.lines()
        self.close()
        if self._rest:
            yield self._rest

    def reads(self, there: os.stat_result) -> bool:
        """Whether this is the file."""
        return os.path.samestat(os.fstat(self._file.fileno()), there)

    def close(self) -> None:
        """Read no more."""
        self._file.close()


class _Followed:
    """One file, and the one that takes its place; for a moment both are read, for others may not have noticed yet."""

    def __init__(self, path: Path, *, from_end: bool) -> None:
        self._path = path
        self._reader: _Reader | None = None
        self._before: _Reader | None = None
        self._leave_at = 0.0
        self._seen: tuple[int, ...] = ()
        if from_end:
            with suppress(OSError):
                self._reader = _Reader(path, from_end=True)

    def lines(self) -> Iterator[bytes]:
        """Whole lines that are new; cheap when the file is as it was."""
        if self._before is not None:
            yield from self._before.lines()
            if time.monotonic() > self._leave_at:
                yield from self._leave()
        seen, self._seen = self._seen, self._state()
        while seen != self._seen:
            if self._reader is not None:
                yield from self._reader.lines()
            there = self._there()
            if there is None or (self._reader is not None and self._reader.reads(there)):
                return
            yield from self._leave()
            self._before, self._reader, self._leave_at = self._reader, None, time.monotonic() + LEAVE_SECONDS
            try:
                self._reader = _Reader(self._path)
            except OSError:
                self._seen = ()  # to be tried again
                return

    def close(self) -> None:
        """Read no more."""
        for reader in (self._reader, self._before):
            if reader is not None:
                reader.close()
        self._reader = self._before = None

    def _leave(self) -> Iterator[bytes]:
        """The file before; its last lines."""
        if self._before is not None:
            yield from self._before.last_lines()
            self._before = None

    def _state(self) -> tuple[int, ...]:
        there = self._there()
        return () if there is None else (there.st_dev, there.st_ino, there.st_size)

    def _there(self) -> os.stat_result | None:
        try:
            return self._path.stat()
        except OSError:
            self._seen = ()  # to be tried again
            return None


def as_json(line: Mapping[str, Any]) -> str:
    """The line as it stands in a file."""
    return msgspec.json.encode(line).decode()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
