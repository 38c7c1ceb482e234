"""Who is really asking: the peer of the connection or, where that is a proxy of ours, whom the proxy names."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from local_runtime.gateway.http.host import is_host
from shared.core.network import address_of


class TrustedProxies:
    """The proxies whose X-Forwarded-* headers are believed; nobody's by default."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks: tuple[IPv4Network | IPv6Network, ...] = tuple(ip_network(item, strict=False) for item in networks)

    @classmethod
    def parse(cls, value: str) -> TrustedProxies:
        """Read a comma list of addresses and networks; raises ValueError."""
        return cls(item.strip() for item in value.split(",") if item.strip())

    @classmethod
    def from_setting(cls, value: str, problems: list[str]) -> TrustedProxies:
        """The same; what cannot be read is added to the problems."""
        try:
            return cls.parse(value)
        except ValueError as error:
            problems.append(f"SCOREBOARD_TRUSTED_PROXIES: {error}")
            return cls()

    def source_ip(self, environ: dict[str, Any]) -> str:
        """The peer's address, or the nearest one in X-Forwarded-For that is no proxy of ours."""
        return self.nearest(plain_address(environ.get("REMOTE_ADDR", "")), environ.get("HTTP_X_FORWARDED_FOR", ""))

    def nearest(self, peer: str, forwarded_for: str) -> str:
        """The same of a peer's plain address and the header.

        Each proxy writes whom it heard from behind what it was sent, so the list is read from its end: what stands before the
        first stranger is what that stranger says. What cannot be read ends it, too.
        """
        if not self._networks or not self.trusts(peer):
            return peer
        for hop in reversed(forwarded_for.split(",")):
            if not hop.strip():
                continue
            address = _address_of(hop)
            if not address:
                break
            peer = address
            if not self.trusts(address):
                break
        return peer

    def scheme(self, environ: dict[str, Any]) -> str:
        """`https` or `http`, as the client sees it."""
        peer, forwarded = plain_address(environ.get("REMOTE_ADDR", "")), environ.get("HTTP_X_FORWARDED_PROTO", "")
        return self.outer_scheme(str(environ.get("wsgi.url_scheme", "http")), peer, forwarded)

    def outer_scheme(self, scheme: str, peer: str, forwarded_proto: str) -> str:
        """The same of our own scheme, a peer's plain address and the header; of several that proxies wrote the nearest one's."""
        if not self._networks or not self.trusts(peer):
            return scheme
        nearest = forwarded_proto.rpartition(",")[2].strip().lower()
        return nearest if nearest in ("http", "https") else scheme

    def host(self, environ: dict[str, Any]) -> str:
        """The Host header as the client sent it: X-Forwarded-Host of a proxy of ours, of several the nearest one's."""
        host = str(environ.get("HTTP_HOST", ""))
        if not self._networks or not self.trusts(plain_address(environ.get("REMOTE_ADDR", ""))):
            return host
        nearest = str(environ.get("HTTP_X_FORWARDED_HOST", "")).rpartition(",")[2].strip()
        return nearest if nearest and is_host(nearest) else host

    def trusts(self, address: str) -> bool:
        """Whether this address is one of the proxies."""
        plain = _address_of(address)
        return bool(plain) and any(ip_address(plain) in network for network in self._networks)


def _address_of(hop: str) -> str:
    """The address of `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`, in one spelling; "" for anything else."""
    text = hop.strip().strip('"')
    if text.startswith("["):
        text, closed, port = text[1:].partition("]")
        if not closed:
            return ""
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
    else:
        port = ""
    if port and not (port.isascii() and port.isdecimal()):
        return ""
    return str(address_of(text.partition("%")[0]) or "")


def plain_address(peer: str) -> str:
    """The address of a peer: without the IPv6 clothes of an IPv4 one, and without the name of the interface it came in by."""
    return (_address_of(peer) or peer) if ":" in peer else peer
