"""Lines of the private servers, which have forms of their own, as lines like ours."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from shared.core.clock import utc_text

_FORMS = {
    # 4711:M 24 Nov 2026 12:00:00.123 # Out of memory
    "redis": re.compile(r"\d+:[A-Z] (?P<at>.{20,24}) (?P<level>[.*#-]) (?P<message>.*)"),
    # 2026-11-24 12:00:00.123 UTC [4711] FATAL:  the database system is starting up
    "postgresql": re.compile(r"(?P<at>\S+ \S+) \S+ \[\d+\] (?:\S+ )?(?P<level>[A-Z]+\d?):\s+(?P<message>.*)"),
    # 2026-11-24 12:00:00.123456+00:00 [warning] <0.123.0> disk resource limit alarm set
    "rabbitmq": re.compile(r"(?P<at>\S+ \S+) \[(?P<level>\w+)\] (?:<[\d.]+> )?(?P<message>.*)"),
}
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LEVELS = {
    **dict.fromkeys((".", "-", "*", "LOG", "INFO", "NOTICE", "DETAIL", "HINT", "STATEMENT", "CONTEXT", "notice"), "info"),
    **dict.fromkeys(("#", "WARNING"), "warning"),
    "warning": "info",  # RabbitMQ's are of connections that end; of its alarms those who publish tell
    **dict.fromkeys(("ERROR", "FATAL", "PANIC", "error", "critical", "alert", "emergency"), "error"),
}


def server_line(process: str, text: str, at: str) -> dict[str, Any]:
    """The line as members; `at` is for one that does not say its time, and what has no form known is debugging."""
    text, form = _COLOUR.sub("", text), _FORMS.get(process)
    match = form.match(text) if form is not None else None
    level = _LEVELS.get(match["level"], "debug") if match else "debug"
    said_at = _instant(process, match["at"]) if match else ""
    return {"at": said_at or at, "level": level, "process": process, "message": (match["message"] if match else text).strip()}


def _instant(process: str, text: str) -> str:
    """RFC 3339, "" for what is no instant. Redis writes the machine's time, PostgreSQL UTC here."""
    try:
        if process == "redis":
            return utc_text(datetime.strptime(text, "%d %b %Y %H:%M:%S.%f").astimezone())
        at = datetime.fromisoformat(text)
    except ValueError:
        return ""
    return utc_text(at if at.tzinfo else at.replace(tzinfo=UTC))
