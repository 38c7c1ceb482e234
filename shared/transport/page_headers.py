"""The headers of pages for people, beside those of every answer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.core.network import is_loopback
from shared.core.origins import origins

if TYPE_CHECKING:
    from shared.transport.http import HttpRequest

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src {hosts}; img-src 'self' data:; "
    "base-uri 'none'; frame-ancestors {ancestors}; form-action 'self'; require-trusted-types-for 'script'; trusted-types 'none'"
)


def page_headers(request: HttpRequest, viewers_url: str, *, ancestors: str = "", for_all: bool = False) -> dict[str, str]:
    """Nothing of another origin in the page's process, and nothing of the device for the page.

    The pages of `ancestors`, origins separated by commas, may show it in a frame, and no others: browsers that know this heed no
    X-Frame-Options beside it.

    Any page may load a file that is for all. Where browsers keep every other answer from a page, the client learns by it that the
    server is there.
    """
    return _headers(viewers_url, ancestors, for_all=for_all, alone=_may_be_alone(request.headers))


def _may_be_alone(headers: Mapping[str, str]) -> bool:
    """Whether the browser gives a page a process of its own: in plain text from another machine it notes an error instead."""
    if headers.get("x-forwarded-proto") != "http":
        return True
    return is_loopback(urlsplit(f"//{headers.get('host', '')}").hostname or "")


@cache
def _headers(viewers_url: str, ancestors: str, *, for_all: bool, alone: bool) -> dict[str, str]:
    scheme, _, rest = viewers_url.partition("://")
    # The WebSocket is on another host on AWS.
    hosts = f"'self' {scheme}://{rest.partition('/')[0]}" if rest else "'self'"
    return {
        "Content-Security-Policy": _POLICY.format(hosts=hosts, ancestors=" ".join(origins(ancestors)) or "'none'"),
        **({"Cross-Origin-Opener-Policy": "same-origin"} if alone else {}),
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        **({"Cross-Origin-Resource-Policy": "cross-origin"} if for_all else {}),
    }
