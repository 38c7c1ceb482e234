"""API Gateway's route paths as rules of the router."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from local_runtime.hosting.manifest import HttpRoute

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


class RouteTable:
    """Finds the route of a request where there is no doubt: fixed paths first, then those with one segment for a parameter.

    It answers None for everything else, a greedy path or several candidates among it; then the router decides.
    """

    def __init__(self, routes: Iterable[HttpRoute]) -> None:
        self._fixed: dict[tuple[str, str], HttpRoute] = {}
        self._patterns: dict[tuple[str, int], list[_Pattern]] = {}
        for route in routes:
            segments = route.path.split("/")
            if "{" not in route.path:
                self._fixed[route.method, route.path] = route
            elif "+}" not in route.path:
                self._patterns.setdefault((route.method, len(segments)), []).append(_Pattern.of(route, segments))

    def find(self, method: str, path: str) -> tuple[HttpRoute, dict[str, str]] | None:
        """The route and its path parameters, percent-encoded as they came."""
        fixed = self._fixed.get((method, path))
        if fixed is not None:
            return fixed, {}
        segments = path.split("/")
        found: _Pattern | None = None
        for pattern in self._patterns.get((method, len(segments)), ()):
            if pattern.fits(segments):
                if found is not None:
                    return None
                found = pattern
        return None if found is None else (found.route, {name: segments[place] for place, name in found.names})


@dataclass(frozen=True, slots=True)
class _Pattern:
    """What must stand where, and which places are parameters; those that tell routes apart best, at the end, come first."""

    route: HttpRoute
    fixed: tuple[tuple[int, str], ...]
    names: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, route: HttpRoute, segments: Sequence[str]) -> _Pattern:
        fixed = tuple((place, text) for place, text in enumerate(segments) if text and "{" not in text)[::-1]
        return cls(route, fixed, tuple((place, text[1:-1]) for place, text in enumerate(segments) if "{" in text))

    def fits(self, segments: Sequence[str]) -> bool:
        for place, text in self.fixed:
            if segments[place] != text:
                return False
        return "" not in segments[1:]
