"""What all processes of one host have measured: each keeps its readings in a file, in a directory that they share."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from operator import add
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from shared.core.metrics.instruments import Reading

FLUSH_SECONDS = 1.0
T = TypeVar("T")
logger = logging.getLogger(__name__)


class _Ended(NamedTuple):
    """What processes counted that have ended, and the files of those that were added last, lest they be added again."""

    files: list[str] = []  # noqa: RUF012 - of a tuple, and never changed
    readings: list[Reading] = []  # noqa: RUF012


class ProcessMetrics:
    """The metrics of this process among those of all that share a directory; None where there are no others.

    A process that has ended or was killed keeps what it had counted at its last `flush`, and loses its gauges.
    """

    def __init__(self, directory: Path | None, read: Callable[[], list[Reading]]) -> None:
        self._directory = directory
        self._read = read
        self._name = f"{os.getpid()}-{time.time_ns()}"  # ids of processes are given again
        self._written = b""
        self._flushing = threading.Lock()
        self._flush_at = time.monotonic()
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)

    def flush(self) -> None:
        """Bring what was measured to where the others read it; what cannot be written now goes with the next flush."""
        if self._directory is None:
            return
        with self._flushing:
            encoded = msgspec.msgpack.encode([each for each in self._read() if each.kind != "gauge" or each.together])
            file = self._directory / self._name
            if encoded != self._written or not file.exists():
                try:
                    _replace(file, encoded)
                except OSError as error:
                    logger.debug("metrics are not written: %s", error)
                else:
                    self._written = encoded

    def tend(self) -> None:
        """Flush once a second, however often it is called."""
        now = time.monotonic()
        if now >= self._flush_at:
            self._flush_at = now + FLUSH_SECONDS
            self.flush()

    def flush_regularly(self) -> None:
        """In a thread of its own from now on, for a process that has no loop to do it in."""
        threading.Thread(target=self._flush_for_ever, name="metrics", daemon=True).start()

    def _flush_for_ever(self) -> None:
        while True:
            time.sleep(FLUSH_SECONDS)
            self.flush()

    def collect(self) -> list[Reading]:
        """The readings of all processes together, of gauges that have no sum those of this process."""
        own = self._read()
        if self._directory is None:
            return own
        self.flush()
        everything = {each.name: each for each in combined(_read_all(self._directory))}
        return [each if each.kind == "gauge" and not each.together else everything.pop(each.name, each) for each in own] + list(
            everything.values()
        )


def combined(parts: Iterable[Sequence[Reading]]) -> list[Reading]:
    """One reading a family: counters and histograms added up, gauges as their `together` says."""
    found: dict[str, Reading] = {}
    for readings in parts:
        for reading in readings:
            before = found.get(reading.name)
            found[reading.name] = reading if before is None else _both(before, reading)
    return list(found.values())


def _both(one: Reading, other: Reading) -> Reading:
    values = dict(one.values)
    for labels, value in other.values.items():
        before = values.get(labels)
        values[labels] = value if before is None else _added(one, before, value)
    return one._replace(values=values)


def _added(reading: Reading, one: Any, other: Any) -> Any:
    if reading.kind == "histogram":
        return tuple(tuple(map(add, *numbers)) for numbers in zip(one, other, strict=True))  # counts, and sums
    return max(one, other) if reading.together == "max" else one + other


def _read_all(directory: Path) -> list[list[Reading]]:
    """Of the living what they measure; of others what they counted, which is put into one file, so that there are never many.

    What another version of the program has written cannot be read and is left out.
    """
    ended_file = directory / "ended"
    with (directory / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = (_decoded(ended_file, _Ended) if ended_file.exists() else None) or _Ended()
        _unlink(directory, ended.files)
        living, gone = [], {}
        for path in directory.glob("*-*[0-9]"):
            is_alive = _is_alive(int(path.name.partition("-")[0]))  # asked first: whoever is gone writes no more
            readings = _decoded(path, list[Reading]) or []
            if is_alive:
                living.append(readings)
            else:
                gone[path.name] = [each for each in readings if each.kind != "gauge"]
        if gone:
            ended = _Ended(list(gone), combined([ended.readings, *gone.values()]))
            _replace(ended_file, msgspec.msgpack.encode(ended))
            _unlink(directory, ended.files)
    return [ended.readings, *living]


def _decoded(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as error:
        logger.debug("%s is left out: %s", path, error)
        return None


def _unlink(directory: Path, names: Iterable[str]) -> None:
    for name in names:
        for path in (directory / name, directory / f"{name}.new"):
            path.unlink(missing_ok=True)


def _replace(path: Path, content: bytes) -> None:
    """At once: a reader sees the file as it was or as it is, whenever this process is killed."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def _is_alive(pid: int) -> bool:
    with suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True
