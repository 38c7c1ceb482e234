"""What a process has written last, for the message that says why it does not come up."""

from __future__ import annotations

from pathlib import Path

_LINES = 15
_BYTES = 8192
_MOST_BYTES = 1024 * 1024


class LogTail:
    """The end of a log file, but only of what was written after this was made."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._offset = path.stat().st_size if path is not None and path.exists() else 0

    def read(self) -> str:
        """At most 15 lines."""
        return "\n".join(self._read(_BYTES).splitlines()[-_LINES:])

    def read_all(self) -> str:
        """All of it, but of very much the end."""
        return self._read(_MOST_BYTES)

    def _read(self, most: int) -> str:
        if self._path is None or not self._path.exists():
            return ""
        with self._path.open("rb") as log:
            size = log.seek(0, 2)
            offset = self._offset if self._offset <= size else 0  # a smaller file is a new one
            log.seek(max(offset, size - most))
            return log.read().decode(errors="replace")
