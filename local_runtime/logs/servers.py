"""Lines of the private servers, which have forms of their own, as lines like ours."""

from __future__ import annotations

import re
from typing import Any

_FORMS = {
    # 4711:M 24 Nov 2026 12:00:00.123 # Out of memory
    "redis": re.compile(r"\d+:[A-Z] .{20,24} (?P<level>[.*#-]) (?P<message>.*)"),
    # 2026-11-24 12:00:00.123 UTC [4711] FATAL:  the database system is starting up
    "postgresql": re.compile(r"\S+ \S+ \S+ \[\d+\] (?:\S+ )?(?P<level>[A-Z]+\d?):\s+(?P<message>.*)"),
    # 2026-11-24 12:00:00.123456+00:00 [warning] <0.123.0> disk resource limit alarm set
    "rabbitmq": re.compile(r"\S+ \S+ \[(?P<level>\w+)\] (?:<[\d.]+> )?(?P<message>.*)"),
}
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LEVELS = {
    **dict.fromkeys((".", "-", "*", "LOG", "INFO", "NOTICE", "DETAIL", "HINT", "STATEMENT", "CONTEXT", "notice"), "info"),
    **dict.fromkeys(("#", "WARNING"), "warning"),
    "warning": "info",  # RabbitMQ's are of connections that end; of its alarms those who publish tell
    **dict.fromkeys(("ERROR", "FATAL", "PANIC", "error", "critical", "alert", "emergency"), "error"),
}


def server_line(process: str, text: str, at: str) -> dict[str, Any]:
    """The line as members; the time is the one it was read at, and what has no form known is debugging."""
    text, form = _COLOUR.sub("", text), _FORMS.get(process)
    match = form.match(text) if form is not None else None
    level = _LEVELS.get(match["level"], "debug") if match else "debug"
    return {"at": at, "level": level, "process": process, "message": (match["message"] if match else text).strip()}
