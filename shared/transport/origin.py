"""Which web pages may open a WebSocket: browsers ask nobody before they do, and say where the page came from."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from shared.core.errors import OriginNotAllowed
from shared.core.origins import DEFAULT_PORTS, Origin, parse_origin


def check_origin(headers: Mapping[str, str], allowed: Collection[str]) -> None:
    """Let in clients other than browsers, which send no Origin, pages of this host and those of `allowed`.

    Header names are lower-case. Origins are compared by scheme, host and port, a default port being the same as none. `null`,
    which any page can have sent from a frame, is never allowed. Raises OriginNotAllowed.
    """
    text = headers.get("origin", "")
    if not text:
        return
    origin = parse_origin(text)
    if origin is None or not (_is_own(origin, headers) or origin in map(parse_origin, allowed)):
        raise OriginNotAllowed


def _is_own(origin: Origin, headers: Mapping[str, str]) -> bool:
    """Whether the page came from this host, by the scheme that it says, for a proxy that ends TLS need not have told us of it."""
    if origin.scheme not in DEFAULT_PORTS or (headers.get("x-forwarded-proto") == "https" and origin.scheme != "https"):
        return False
    host = headers.get("host", "").removesuffix(":")  # a port may be empty there
    return parse_origin(f"{origin.scheme}://{host}") == origin
