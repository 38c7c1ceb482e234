"""Origins of web pages (RFC 6454): what they are compared by, and as operators write them."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address
from typing import NamedTuple

DEFAULT_PORTS = {"http": 80, "https": 443}
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?")


class Origin(NamedTuple):
    """What an origin is compared by; `port` is None for schemes that have no default one, such as those of app shells."""

    scheme: str
    host: str
    port: int | None


@lru_cache(1024)
def parse_origin(text: str) -> Origin | None:
    """In any case of letters, a default port being the same as none; None for what names no origin, such as `null`."""
    match = _ORIGIN.fullmatch(text.lower())
    if match is None:
        return None
    scheme, host, port = match.groups()
    if host.startswith("["):
        try:
            host = f"[{IPv6Address(host[1:-1])}]"
        except ValueError:
            return None
    return Origin(scheme, host.removesuffix("."), int(port) if port else DEFAULT_PORTS.get(scheme))


def is_exact(text: str) -> bool:
    """Whether it is an origin in small letters, as browsers send them."""
    return text == text.lower() and parse_origin(text) is not None


def origins(raw: str) -> tuple[str, ...]:
    """Origins, separated by commas; raises ValueError."""
    found = tuple(item.strip() for item in raw.split(",") if item.strip())
    if not all(map(is_exact, found)):
        raise ValueError("must be exact origins in small letters (scheme, host and port, no path, no *)")
    return found
