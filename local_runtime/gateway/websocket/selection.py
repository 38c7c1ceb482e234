"""Which route a message takes: the route selection expression of a WebSocket API."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

_EXPRESSION = re.compile(r"\$?\{?\$?request\.body((?:\.[A-Za-z0-9_-]+)+)\}?")


def route_selector(expression: str) -> Callable[[str], str]:
    """A function from a message to its route key; a message that is no JSON, or has no such member, is `$default`'s."""
    match = _EXPRESSION.fullmatch(expression)
    members = match[1].lstrip(".").split(".") if match else []

    def select(body: str) -> str:
        try:
            value = json.loads(body) if members else None
        except (ValueError, RecursionError):
            return "$default"
        for member in members:
            value = value.get(member) if isinstance(value, dict) else None
        return value if isinstance(value, str) and not value.startswith("$") else "$default"

    return select
