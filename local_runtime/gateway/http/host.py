"""The Host header: its form (RFC 9110, section 7.2), and the name in it. The Origin header: what it is compared by."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?")
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@lru_cache(256)
def is_host(value: str) -> bool:
    """Whether it has the form: what has not is read by one server in this way and by the next in another."""
    return _HOST.fullmatch(value) is not None


def name_in(value: str) -> str:
    """The name or address without port and brackets; empty where there is none."""
    match = _HOST.fullmatch(value)
    return match[1].strip("[]").lower() if match else ""


@lru_cache(1024)
def origin_in(value: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port of an origin, a default port being the same as none; None for what names no origin, such as `null`.

    The port is None for schemes that have no default one, such as `capacitor` and `tauri` of app shells.
    """
    match = _ORIGIN.fullmatch(value.lower())
    if match is None:
        return None
    scheme, host, port = match.groups()
    if host.startswith("["):
        try:
            host = f"[{IPv6Address(host[1:-1])}]"
        except ValueError:
            return None
    return scheme, host.removesuffix("."), int(port) if port else _DEFAULT_PORTS.get(scheme)
