"""A line of the log: one JSON object, made and written at once, without the logging module's machinery."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from time import time
from typing import Any

import msgspec

_encode = msgspec.json.Encoder(enc_hook=str).encode
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class _Threshold:
    level = logging.INFO


def set_threshold(level: str) -> None:
    """Write nothing below this level."""
    _Threshold.level = _LEVELS.get(level.lower(), logging.INFO)


def is_written(level: str) -> bool:
    """Whether a line of this level is written at all."""
    return _LEVELS[level] >= _Threshold.level


def write(line: Mapping[str, Any]) -> None:
    """To stderr, in one piece, whatever it is at that moment: who hosts the functions may put a buffer there."""
    sys.stderr.write(encoded(line) + "\n")


def encoded(line: Mapping[str, Any]) -> str:
    """The line as text; what JSON has no form for is written as its text."""
    try:
        return _encode(line).decode()
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError):  # half a surrogate, or an object that holds itself
        return _encode({name: repr(value) for name, value in line.items()}).decode()


def instant(seconds: float | None = None) -> str:
    """`2026-11-24T12:00:00.123Z`, of now unless another instant is given."""
    return _millisecond(int((time() if seconds is None else seconds) * 1000))


@lru_cache(2)
def _millisecond(milliseconds: int) -> str:
    """Under load many lines have the same."""
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(2)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
