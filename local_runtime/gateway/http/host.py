"""The Host header: its form (RFC 9110, section 7.2), and the name in it."""

from __future__ import annotations

import re
from functools import lru_cache

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?")


@lru_cache(256)
def is_host(value: str) -> bool:
    """Whether it has the form: what has not is read by one server in this way and by the next in another."""
    return _HOST.fullmatch(value) is not None


def name_in(value: str) -> str:
    """The name or address without port and brackets; empty where there is none."""
    match = _HOST.fullmatch(value)
    return match[1].strip("[]").lower() if match else ""
