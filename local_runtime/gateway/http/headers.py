"""Completes the headers of answers that no function gave."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from shared.core.headers import SECURE_HEADERS, SECURITY_HEADERS

_PLAIN = {name.lower(): (name, value) for name, value in SECURITY_HEADERS.items()}
_SECURE = {name.lower(): (name, value) for name, value in SECURE_HEADERS.items()}


def completed(headers: Iterable[tuple[str, str]], scheme: str) -> list[tuple[str, str]]:
    """The headers of an answer with those it does not have itself; `scheme` is `https` or `http`, as the client sees it."""
    headers = list(headers)
    return [*headers, *_lacking(tuple([name for name, _ in headers]), scheme == "https")]


@lru_cache(256)
def _lacking(names: tuple[str, ...], is_secure: bool) -> tuple[tuple[str, str], ...]:
    given = {name.lower() for name in names}
    wanted = _SECURE if is_secure else _PLAIN
    return tuple(header for name, header in wanted.items() if name not in given)
