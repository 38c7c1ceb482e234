"""Which web pages may open a WebSocket: browsers ask nobody before they do, and say where the page came from."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from ipaddress import IPv6Address
from typing import NamedTuple

from shared.core.errors import OriginNotAllowed

_HOST = r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{0,5}))?"
_ORIGIN = re.compile(rf"([a-z][a-z0-9+.-]*)://{_HOST}")
_ONLY_HOST = re.compile(_HOST)
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """What an origin is compared by; `port` is None for schemes that have none, such as those of app shells."""

    scheme: str
    host: str
    port: int | None


def check_origin(headers: Mapping[str, str], allowed: Collection[str]) -> None:
    """Let in clients other than browsers, which send no Origin, pages of this host and those of `allowed`.

    Header names are lower-case. Origins are compared by scheme, host and port, a default port being the same as none. `null`,
    which any page can have sent from a frame, is never allowed. Raises OriginNotAllowed.
    """
    text = headers.get("origin", "")
    if not text:
        return
    origin = _origin(text)
    if origin is None or not (_is_own(origin, headers) or origin in map(_origin, allowed)):
        raise OriginNotAllowed


def _is_own(origin: Origin, headers: Mapping[str, str]) -> bool:
    """Whether the page came from this host, by the scheme that it says, for a proxy that ends TLS need not have told us of it."""
    if origin.scheme not in _DEFAULT_PORTS or (headers.get("x-forwarded-proto") == "https" and origin.scheme != "https"):
        return False
    match = _ONLY_HOST.fullmatch(headers.get("host", "").lower())
    if match is None:
        return False
    return _same_host(match[1]) == origin.host and int(match[2] or _DEFAULT_PORTS[origin.scheme]) == origin.port


@lru_cache(1024)
def _origin(text: str) -> Origin | None:
    match = _ORIGIN.fullmatch(text.lower())
    if match is None:
        return None
    scheme, host, port = match.groups()
    return Origin(scheme, _same_host(host), int(port) if port else _DEFAULT_PORTS.get(scheme))


def _same_host(host: str) -> str:
    """An IPv6 address in one spelling; what is none stays what it is."""
    if not host.startswith("["):
        return host.removesuffix(".")
    try:
        return f"[{IPv6Address(host[1:-1])}]"
    except ValueError:
        return host
