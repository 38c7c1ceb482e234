"""The log of a process of the runtime: JSON lines on stderr, or what people read there."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import msgspec

from local_runtime.logs.options import LogOptions
from local_runtime.logs.rotation import LogFile
from local_runtime.logs.stream import LineStream, for_people

TEND_SECONDS = 1.0
LOG_FILE, MAX_LOG_BYTES = "SCOREBOARD_LOG_FILE", "SCOREBOARD_MAX_LOG_BYTES"
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_OURS = ("local_runtime", "__main__")
_QUIET = {"pika": logging.CRITICAL, "websockets.server": logging.WARNING}
_encode = msgspec.json.Encoder(enc_hook=str).encode


class LineFormatter(logging.Formatter):
    """A record as a line of JSON: `at`, `level`, `process`, `logger`, `message`, what `extra` holds, and the traceback."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update((key, value) for key, value in vars(record).items() if key not in _STANDARD)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return _encode(line).decode()


class _Stderr(logging.StreamHandler[TextIO]):
    """Whatever stderr is at that moment."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def configure_logs(process: str, environment: Mapping[str, str], *, level: str | None = None) -> None:
    """Before anything is logged. `level` beats LOG_LEVEL."""
    options = LogOptions.from_environment(environment)
    handler = _Stderr()
    handler.setFormatter(LineFormatter(process))
    own = logging.getLevelNamesMapping()[level or options.level]
    # What libraries say to their developers may be secret: botocore's whole answers, say.
    logging.basicConfig(level=max(own, logging.INFO), handlers=[handler])
    for name in _OURS:
        logging.getLogger(name).setLevel(own)
    for name, threshold in _QUIET.items():
        logging.getLogger(name).setLevel(threshold)
    sys.excepthook = _log_uncaught
    show_on_stderr(environment)


def show_on_stderr(environment: Mapping[str, str], *, is_buffered: bool = False) -> LineStream | None:
    """Put a stream in stderr's place where lines are for people, or buffered; answers it."""
    is_text = LogOptions.from_environment(environment).is_text(sys.stderr)
    if not (is_text or is_buffered):
        return None
    show = for_people(coloured=sys.stderr.isatty() and not environment.get("NO_COLOR")) if is_text else None
    stream = LineStream(2, is_buffered=is_buffered, show=show)
    sys.stderr = stream
    return stream


def log_file(environment: Mapping[str, str]) -> LogFile | None:
    """The file behind stderr, of which the supervisor has told us; None where there is none."""
    path, most = environment.get(LOG_FILE), environment.get(MAX_LOG_BYTES, "")
    return LogFile(Path(path), int(most)) if path and most.isdecimal() else None


def tend_log_file(environment: Mapping[str, str]) -> None:
    """For processes of threads: look after the file from now on."""
    file = log_file(environment)
    if file is not None:
        threading.Thread(target=_tend, args=(file,), name="log", daemon=True).start()


def _tend(file: LogFile) -> None:
    while True:
        time.sleep(TEND_SECONDS)
        file.tend()


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    logging.getLogger(__name__).critical("the process %d ends", os.getpid(), exc_info=(kind, error, traceback))
