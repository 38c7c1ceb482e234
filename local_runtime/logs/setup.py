"""The log of a process of the runtime: JSON lines on stderr, or what people read there."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from local_runtime.logs.options import LogOptions
from local_runtime.logs.rotation import LogFile
from local_runtime.logs.stream import LineStream, for_people
from local_runtime.settings import InstanceSettings
from shared.core.logs import StderrHandler

TEND_SECONDS = 1.0
LOG_FILE = "SCOREBOARD_LOG_FILE"
_OURS = ("local_runtime", "__main__")
_QUIET = {"httpx": logging.WARNING, "pika": logging.CRITICAL, "websockets.server": logging.WARNING}


def configure_logs(process: str, environment: Mapping[str, str], *, level: str | None = None) -> None:
    """Before anything is logged. `level` beats LOG_LEVEL."""
    options = LogOptions.from_environment(environment)
    own = logging.getLevelNamesMapping()[level or options.level]
    # What libraries say to their developers may be secret: botocore's whole answers, say.
    logging.basicConfig(level=max(own, logging.INFO), handlers=[StderrHandler(process=process)])
    for name in _OURS:
        logging.getLogger(name).setLevel(own)
    for name, threshold in _QUIET.items():
        logging.getLogger(name).setLevel(threshold)
    sys.excepthook = _log_uncaught
    show_on_stderr(environment)


def show_on_stderr(environment: Mapping[str, str], *, is_buffered: bool = False) -> LineStream | None:
    """Put a stream in stderr's place where lines are for people, or buffered; answers it."""
    options = LogOptions.from_environment(environment)
    is_text = options.is_text(sys.stderr)
    if not (is_text or is_buffered):
        return None
    show = for_people(coloured=options.is_coloured(sys.stderr)) if is_text else None
    stream = LineStream(2, is_buffered=is_buffered, show=show)
    sys.stderr = stream
    return stream


def log_file(environment: Mapping[str, str]) -> LogFile | None:
    """The file behind stderr, of which the supervisor has told us; None where there is none."""
    path = environment.get(LOG_FILE)
    return LogFile(Path(path), InstanceSettings.from_environment(environment).max_log_bytes) if path else None


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
