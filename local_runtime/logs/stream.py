"""What stands in for stderr: lines for people where people read them, and a buffer where there are very many."""

from __future__ import annotations

import io
import os
from collections.abc import Callable

from local_runtime.logs.text import parsed, rendered

FULL_CHARACTERS = 64 * 1024


class LineStream(io.TextIOBase):
    """Writes whole lines to a descriptor. With `is_buffered` they go when there are many, or when somebody flushes.

    `otherwise` is given what cannot be written.
    """

    def __init__(
        self,
        descriptor: int,
        *,
        is_buffered: bool = False,
        show: Callable[[str], str] | None = None,
        otherwise: Callable[[str], object] = lambda _text: None,
    ) -> None:
        self._descriptor = descriptor
        self._is_buffered = is_buffered
        self._show = show
        self._otherwise = otherwise
        self._parts: list[str] = []
        self._characters = 0

    def write(self, text: str) -> int:
        """Mostly one line."""
        self._parts.append(text)
        self._characters += len(text)
        if self._characters > FULL_CHARACTERS or not self._is_buffered:
            self._write_lines()
        return len(text)

    def writable(self) -> bool:
        """As a stream."""
        return True

    def fileno(self) -> int:
        """Of the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Of the descriptor."""
        return os.isatty(self._descriptor)

    def flush(self) -> None:
        """Have everything written."""
        self._write_all()

    def _write_lines(self) -> None:
        """What has no end yet waits for it: several processes write to one file."""
        if self._parts and self._parts[-1].endswith("\n"):
            self._write_all()

    def _write_all(self) -> None:
        parts, self._parts, self._characters = self._parts, [], 0
        text = "".join(parts)
        if not text:
            return
        if self._show is not None:
            text = "".join(self._show(line) for line in text.splitlines(keepends=True))
        data = text.encode(errors="backslashreplace")
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:  # a log that cannot be written must not stop what it tells of
            self._otherwise(text)


def for_people(*, coloured: bool) -> Callable[[str], str]:
    """Makes lines of JSON readable; what is none goes as it is."""

    def show(text: str) -> str:
        line = parsed(text)
        return text if line is None else rendered(line, coloured=coloured) + "\n"

    return show
