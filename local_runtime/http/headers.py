"""The headers that every answer carries unless it says otherwise itself; functions send the same wherever they are hosted."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

STANDARD_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
STRICT_TRANSPORT = ("Strict-Transport-Security", "max-age=31536000; includeSubDomains")

_PLAIN = {name.lower(): (name, value) for name, value in STANDARD_HEADERS.items()}
_SECURE = {**_PLAIN, STRICT_TRANSPORT[0].lower(): STRICT_TRANSPORT}


def completed(headers: Iterable[tuple[str, str]], scheme: str) -> list[tuple[str, str]]:
    """The headers of an answer with those it does not have itself; `scheme` is `https` or `http`, as the client sees it."""
    headers = list(headers)
    return [*headers, *_lacking(tuple([name for name, _ in headers]), scheme == "https")]


@lru_cache(256)
def _lacking(names: tuple[str, ...], is_secure: bool) -> tuple[tuple[str, str], ...]:
    given = {name.lower() for name in names}
    wanted = _SECURE if is_secure else _PLAIN
    return tuple(header for name, header in wanted.items() if name not in given)
