"""Files of `archive`, as they are read: complete, and with the lines that were written."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from local_runtime.cli.errors import EXIT_USAGE, CliError

MEMBERS = {
    "audit_log": ("id", "at", "action", "actor", "userId", "requestId", "sourceIp", "detail"),
    "score_history": ("id", "requestId", "userId", "increment", "newScore", "createdAt", "epoch", "sequence"),
}
_LAST_LINE = {
    "kind": str,
    "part": str,
    "firstId": int,
    "lastId": int,
    "recordedUntil": str,
    "rows": int,
    "digest": str,
    "keyId": str,
    "mac": str,
}


class UnusableFile(CliError):
    """The message begins with the file's name."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A file whose lines are all there; `last` is its last line, which is signed."""

    path: Path
    last: Mapping[str, Any]

    @property
    def about(self) -> Mapping[str, Any]:
        """What the last line says."""
        found: Mapping[str, Any] = self.last["archive"]
        return found


def is_row(line: str) -> bool:
    """Whether a line is a row of the table; the others of a file of the audit log are seals."""
    return line.startswith("[")


def verified(path: Path) -> Verified:
    """Read all of it; UnusableFile when it is not what its last line says."""
    digest, rows, last = hashlib.sha256(), 0, ""
    for line in _raw_lines(path):
        if last:
            digest.update(f"{last}\n".encode())
            rows += is_row(last)
        last = line
    file = _described(path, last)
    if (file.about["rows"], file.about["digest"]) != (rows, digest.hexdigest()):
        raise UnusableFile(f"{path}: damaged, or changed: its lines are not those that were exported")
    return file


def foreign(path: Path) -> UnusableFile:
    """What is said of a file in which something is not as `archive export` writes it."""
    return UnusableFile(f"{path}: no file of `scoreboard archive export`, or its end is missing")


def _described(path: Path, last: str) -> Verified:
    try:
        file = Verified(path, json.loads(last))
        has_members = all(type(file.about[name]) is kind for name, kind in _LAST_LINE.items())
        datetime.fromisoformat(file.about["recordedUntil"])
    except (ValueError, TypeError, LookupError, RecursionError):
        raise foreign(path) from None
    if not has_members or file.about["kind"] not in MEMBERS:
        raise foreign(path)
    return file


def lines_of(path: Path) -> Iterator[str]:
    """All but the last one."""
    before = None
    for line in _raw_lines(path):
        if before is not None:
            yield before
        before = line


def _raw_lines(path: Path) -> Iterator[str]:
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
            for line in file:
                yield line.rstrip("\n")
    except FileNotFoundError:
        raise UnusableFile(f"{path}: there is no such file", EXIT_USAGE) from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UnusableFile(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
