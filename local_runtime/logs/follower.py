"""Reads on in the log files of an instance, for those who sit at its console."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from local_runtime.logs.servers import server_line
from local_runtime.logs.text import parsed

READ_BYTES = 1024 * 1024
MOST_AT_ONCE = 20
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


class _Followed:
    """One file, and the one that takes its place."""

    def __init__(self, path: Path, *, from_end: bool) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""
        self._seen: tuple[int, ...] = ()
        if from_end:
            with suppress(OSError):
                self._file = path.open("rb", buffering=0)
                self._file.seek(0, os.SEEK_END)

    def lines(self) -> Iterator[bytes]:
        """Whole lines that are new; cheap when the file is as it was."""
        seen, self._seen = self._seen, self._state()
        while seen != self._seen:
            while self._file is not None and (read := self._file.read(READ_BYTES)):
                *lines, self._rest = (self._rest + read).split(b"\n")
                yield from filter(None, lines)
            if not self._opened_next():
                return
            if self._rest:
                yield self._rest
                self._rest = b""

    def close(self) -> None:
        """Read no more."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _state(self) -> tuple[int, ...]:
        try:
            there = self._path.stat()
        except OSError:
            return ()
        return there.st_dev, there.st_ino, there.st_size

    def _opened_next(self) -> bool:
        """Whether another file stands there by now."""
        try:
            there = self._path.stat()
            if self._file is not None:
                own = os.fstat(self._file.fileno())
                if (own.st_dev, own.st_ino) == (there.st_dev, there.st_ino):
                    return False
                self._file.close()
            self._file = self._path.open("rb", buffering=0)
        except OSError:
            self._seen = ()  # to be tried again
            return False
        return True


def as_json(line: Mapping[str, Any]) -> str:
    """The line as it stands in a file."""
    return msgspec.json.encode(line).decode()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
