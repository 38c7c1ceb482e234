"""API Gateway's route paths as rules of the router."""

from __future__ import annotations

import re
from dataclasses import dataclass

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_PARAMETER = re.compile(r"\{([^{}+]+)(\+?)\}")


@dataclass(frozen=True, slots=True)
class Rule:
    """A werkzeug rule; `names` maps its variables to the path parameters, whose names need not be identifiers."""

    rule: str
    names: dict[str, str]


def rule_of(path: str) -> Rule:
    """`/api/score/{user_id}` and `/files/{proxy+}` for werkzeug."""
    names: dict[str, str] = {}

    def variable(match: re.Match[str]) -> str:
        name = f"p{len(names)}"
        names[name] = match[1]
        return f"<path:{name}>" if match[2] else f"<{name}>"

    return Rule(_PARAMETER.sub(variable, path), names)


def methods_of(method: str) -> list[str]:
    """The methods of a route key; GET answers HEAD, too."""
    return list(METHODS) if method == "ANY" else [method]
