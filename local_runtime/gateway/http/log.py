"""The log of the HTTP process: a line a request is many lines, so a worker writes them together."""

from __future__ import annotations

import atexit
import os
from types import TracebackType
from typing import Any, Self

from gunicorn.glogging import Logger

from local_runtime.logs.setup import log_file, show_on_stderr


class GunicornLog(Logger):  # type: ignore[misc]
    """What gunicorn says goes where everything goes."""

    def setup(self, cfg: Any) -> None:
        """Called by gunicorn."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


class WorkerLog:
    """A context manager around a worker's life: lines wait until `tend` is called. Only a killed worker loses those."""

    def __enter__(self) -> Self:
        self._stream = stream = show_on_stderr(os.environ, is_buffered=True)
        self._file = log_file(os.environ)
        if stream is not None:
            atexit.register(stream.flush)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._stream is not None:
            self._stream.flush()

    def tend(self) -> None:
        """Called several times a second."""
        if self._stream is not None:
            self._stream.flush()
        if self._file is not None:
            self._file.tend()
