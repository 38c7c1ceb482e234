"""Which web pages may open a WebSocket: browsers ask nobody before they do, and say where the page came from."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from shared.errors import OriginNotAllowed


def check_origin(headers: Mapping[str, str], allowed: Collection[str]) -> None:
    """Let in clients other than browsers, which send no Origin, pages of this host and those of `allowed`.

    Header names are lower-case, origins too. Raises OriginNotAllowed.
    """
    origin = headers.get("origin", "").lower()
    if not origin or origin in allowed:
        return
    host = headers.get("host", "").lower()
    if not host or origin.partition("://")[2] != host:
        raise OriginNotAllowed
