"""The way to a server: its URL, and the proxy that stands before it."""

from __future__ import annotations

import ipaddress
import ssl
from functools import cache
from importlib.util import find_spec
from typing import Any, TypedDict
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

TIME_LIMIT_SECONDS = 10.0
IDLE_SECONDS = 60.0


class _Options(TypedDict):
    verify: ssl.SSLContext
    proxy: httpx.Proxy | None
    trust_env: bool
    timeout: float
    limits: httpx.Limits


class Way:
    """How requests and WebSockets get to a server. Raises ValueError for a URL, or a proxy, that cannot be used."""

    def __init__(self, base_url: str, tls: ssl.SSLContext | None) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not _has_port(parts):
            raise ValueError(f"{base_url!r} is no URL that begins with http:// or https://")
        self.base_url = base_url.rstrip("/")
        self.proxy = proxy_for(parts)
        self._tls = tls

    def http_options(self) -> _Options:
        """For a client of httpx."""
        is_tls = self.base_url.startswith("https:")
        proxy_tls = _system_context() if self.proxy.startswith("https:") else None
        return {
            "verify": self._tls or _system_context() if is_tls else _no_context(),
            "proxy": httpx.Proxy(self.proxy, ssl_context=proxy_tls) if self.proxy else None,
            "trust_env": False,
            "timeout": TIME_LIMIT_SECONDS,
            "limits": httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=IDLE_SECONDS),
        }

    def websocket_options(self, url: str, alive_seconds: float) -> dict[str, Any]:
        """For `connect` of websockets."""
        return {
            "ssl": self._tls if url.startswith("wss:") else None,
            "open_timeout": TIME_LIMIT_SECONDS,
            "close_timeout": 2,
            "ping_interval": alive_seconds,
            "ping_timeout": alive_seconds,
            "max_queue": 1,  # what is not read yet is better left to the server, which skips boards for slow readers
            "proxy": proxy_for(urlsplit(url)) or None,
        }


def proxy_for(parts: SplitResult) -> str:
    """The URL of the proxy on the way to a server, or ""; raises ValueError for one of a kind that is not known here."""
    host, found = parts.hostname or "", getproxies()
    proxy = found.get({"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)) or found.get("all", "")
    if not proxy or _is_this_machine(host) or proxy_bypass(host):
        return ""
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    scheme, has_host = urlsplit(proxy).scheme, urlsplit(proxy).hostname
    if scheme in ("socks5", "socks5h") and has_host:
        if not (find_spec("socksio") and find_spec("python_socks")):
            raise ValueError(
                f"{scheme}:// proxies need the packages of scoreboard-client[socks]: install them, or set NO_PROXY={host}"
            )
    elif scheme not in ("http", "https") or not has_host:
        raise ValueError(f"{scheme}:// is no kind of proxy that this client can use: set NO_PROXY={host}")
    return proxy


def _has_port(parts: SplitResult) -> bool:
    """Whether the port is one, or left out."""
    try:
        return parts.port != 0
    except ValueError:
        return False


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@cache
def _system_context() -> ssl.SSLContext:
    """One for all: loading the CAs takes tens of milliseconds."""
    return ssl.create_default_context()


@cache
def _no_context() -> ssl.SSLContext:
    """It trusts nobody: without TLS it is not used."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
