"""A line of the log for people: when, how grave, who, what happened, and the rest of it, in columns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

_COLUMN = 18
_RESET, _DIM, _BOLD = "\x1b[0m", "\x1b[2m", "\x1b[1m"
_COLOURS = {"debug": "\x1b[2m", "info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[1;31m"}
_LABELS = {"warning": "warn", "critical": "fatal"}
_SHOWN = frozenset(
    {"at", "level", "trigger", "function", "process", "logger", "message", "outcome", "status", "route", "traceback"}
)


def parsed(text: str) -> dict[str, Any] | None:
    """The members of a line of JSON; None for anything else."""
    if not text.startswith("{"):
        return None
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and "at" in line else None


def rendered(line: Mapping[str, Any], *, coloured: bool) -> str:
    """`12:00:00.123 warn  update_score       429 rate_limited · POST /api/score/{user_id}  user_id=… request_id=…`."""
    level = str(line.get("level", "info"))
    who = str(line.get("function") or line.get("process") or str(line.get("logger", "")).rpartition(".")[2])
    rest = " ".join(
        f"{_clean(name)}={_short(value)}" for name, value in line.items() if name not in _SHOWN and value not in ("", None)
    )
    parts = [
        (_clock(str(line.get("at", ""))), _DIM),
        (f"{_clean(_LABELS.get(level, level)):<5}", _COLOURS.get(level, "")),
        (f"{_clean(who):<{_COLUMN}}", _BOLD),
        (_clean(_what(line)), ""),
        (f" {rest}" if rest else "", _DIM),
    ]
    text = " ".join(f"{style}{part}{_RESET}" if coloured and style and part else part for part, style in parts).rstrip()
    traceback = str(line.get("traceback", ""))
    return text + "".join(f"\n    {_clean(each)}" for each in traceback.splitlines())


def _what(line: Mapping[str, Any]) -> str:
    if "message" in line:
        return str(line["message"])
    outcome = " ".join(str(line[name]) for name in ("status", "outcome") if name in line)
    return " · ".join(filter(None, (outcome, str(line.get("route") or line.get("trigger") or ""))))


def _short(value: object) -> str:
    """Lists, of ids mostly, are for machines: how many there are is enough, unless it is but one."""
    if isinstance(value, list):
        return _short(value[0]) if len(value) == 1 else f"[{len(value)}]"
    if isinstance(value, dict):
        return "{" + " ".join(f"{_clean(str(name))}={_short(each)}" for name, each in value.items()) + "}"
    if isinstance(value, bool):
        return str(value).lower()
    text = _clean(str(value))
    return json.dumps(text, ensure_ascii=False) if " " in text else text


def _clean(text: str) -> str:
    """Nothing that was logged may give orders to the terminal."""
    return text if text.isprintable() else "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def _clock(at: str) -> str:
    """The time of day where the reader is."""
    try:
        return datetime.fromisoformat(at).astimezone().strftime("%H:%M:%S.%f")[:-3]
    except ValueError:
        return f"{'':<12}"
