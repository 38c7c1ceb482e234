"""Structured logs: what happens besides the line of each invocation, one JSON object a line, too."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

from shared.core import lines
from shared.core.invocation import current

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One line of JSON: `at`, `level`, `logger`, `message`, in which invocation, what `extra` holds, and the traceback.

    `members` stand in every line of this process.
    """

    def __init__(self, **members: str) -> None:
        super().__init__()
        self._members = members

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": lines.instant(record.created),
            "level": record.levelname.lower(),
            **self._members,
            "logger": record.name,
            "message": record.getMessage(),
        }
        invocation = current()
        if invocation is not None:
            line.update(function=invocation.function, request_id=invocation.request_id)
        line.update((key, value) for key, value in vars(record).items() if key not in _STANDARD)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return lines.encoded(line)


class StderrHandler(logging.StreamHandler[TextIO]):
    """Whatever stderr is at that moment: who hosts the functions may put a buffer there."""

    def __init__(self, **members: str) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(JsonFormatter(**members))

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def get_logger(name: str) -> logging.Logger:
    """The logger of a module, below the product's own."""
    return logging.getLogger(name)


def configure_logs(level: str) -> None:
    """Write the layer's lines to stderr as JSON; whoever hosts us keeps the root logger."""
    lines.set_threshold(level)
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # its adapter says what matters, once
    logger = logging.getLogger("shared")
    logger.setLevel(level)
    if not logger.handlers:
        logger.addHandler(StderrHandler())
        logger.propagate = False
