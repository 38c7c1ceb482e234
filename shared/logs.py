"""Structured logs: one JSON object a line, cheap when the level is off."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One line of JSON: `at`, `level`, `logger`, `message`, whatever `extra` holds, and the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update((key, value) for key, value in vars(record).items() if key not in _STANDARD)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def get_logger(name: str) -> logging.Logger:
    """The logger of a module, below the product's own."""
    return logging.getLogger(name)


def configure_logs(level: str, stream: TextIO | None = None) -> None:
    """Send the layer's lines to `stream` (stderr) as JSON; whoever hosts us keeps the root logger."""
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # its adapter says what matters, once
    # What is counted is counted at any level, and by a handler of whoever hosts us where there is one.
    for name, threshold in (("shared", level), ("scoreboard.metrics", "INFO")):
        logger = logging.getLogger(name)
        logger.setLevel(threshold)
        if not logger.handlers:
            handler = logging.StreamHandler(stream or sys.stderr)
            handler.setFormatter(JsonFormatter())
            logger.addHandler(handler)
            logger.propagate = False
