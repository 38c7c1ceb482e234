"""Origins of web pages, as operators write them."""

from __future__ import annotations

import re

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")


def origins(raw: str) -> tuple[str, ...]:
    """Origins, separated by commas; raises ValueError."""
    found = tuple(item.strip() for item in raw.split(",") if item.strip())
    if not all(_ORIGIN.fullmatch(origin) for origin in found):
        raise ValueError("must be exact origins in small letters (scheme, host and port, no path, no *)")
    return found
