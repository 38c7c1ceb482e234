"""Reads requests, parsed ones and the WSGI environments made of them: raw path, headers, body, and who is at the other end."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from local_runtime.gateway.http.parser import Request
from local_runtime.gateway.http.proxies import TrustedProxies, plain_address
from local_runtime.hosting.events.http import HttpRequestParts
from shared.core import ids
from shared.core.ids import canonical_id

REQUEST_ID = "scoreboard.request_id"
# What the connection has parsed and puts into the environment, so that nobody does it again; the body is within its limit.
HEADERS, BODY, CONNECTION = "scoreboard.headers", "scoreboard.body", "scoreboard.connection"
_SAFE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PATH_CHARACTERS = "!$&'()*+,;=:@~"
new_request_id = partial(ids.new_request_id, random.getrandbits)  # a name, not a secret


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a connection, and how they came to us."""

    address: str
    scheme: str
    server_port: str

    @classmethod
    def of(cls, environ: Mapping[str, Any]) -> Peer:
        """Of what all environments of a connection have in common."""
        return cls(plain_address(environ["REMOTE_ADDR"]), environ["wsgi.url_scheme"], environ["SERVER_PORT"])


def choose_request_id(environ: dict[str, Any]) -> str:
    """The client's X-Request-Id where it is short and safe, else a new one."""
    return _chosen_id(environ.get("HTTP_X_REQUEST_ID"))


def raw_path(environ: dict[str, Any]) -> str:
    """The path as sent; see path_of."""
    return path_of(environ["RAW_URI"])


def headers_of(environ: dict[str, Any]) -> dict[str, str]:
    """All headers, names in lower case; a dictionary of its own."""
    return dict(environ[HEADERS])


def parts_of(request: Request, path: str, peer: Peer, proxies: TrustedProxies) -> HttpRequestParts:
    """A parsed request, which keeps its headers no longer for itself; otherwise as request_parts."""
    target, headers = request.target, request.headers
    source_ip = proxies.nearest(peer.address, headers.get("x-forwarded-for", ""))
    scheme = proxies.outer_scheme(peer.scheme, peer.address, headers.get("x-forwarded-proto", ""))
    headers["x-forwarded-for"] = source_ip
    headers["x-forwarded-port"] = peer.server_port
    headers["x-forwarded-proto"] = scheme
    return HttpRequestParts(
        method="GET" if request.method == "HEAD" else request.method,
        path=path,
        query_string=query_of(target) if "?" in target else "",
        headers=headers,
        body=request.body,
        source_ip=source_ip,
        request_id=_chosen_id(headers.get("x-request-id")),
        received_at=time.time(),
        protocol=f"HTTP/{request.version}",
    )


def query_of(target: str) -> str:
    """What stands behind the question mark."""
    return target.partition("#")[0].partition("?")[2]


def request_parts(environ: dict[str, Any], proxies: TrustedProxies) -> HttpRequestParts:
    """The request, with the X-Forwarded-* headers that API Gateway sets itself."""
    source_ip, scheme = proxies.source_ip(environ), proxies.scheme(environ)
    port = environ.get("SERVER_PORT", "")
    headers = headers_of(environ)
    headers.update({"x-forwarded-for": source_ip, "x-forwarded-port": str(port), "x-forwarded-proto": scheme})
    method = environ["REQUEST_METHOD"]
    return HttpRequestParts(
        method="GET" if method == "HEAD" else method,
        path=raw_path(environ),
        query_string=environ.get("QUERY_STRING", ""),
        headers=headers,
        body=environ[BODY],
        source_ip=source_ip,
        request_id=environ[REQUEST_ID],
        received_at=time.time(),
        protocol=environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
    )


def _chosen_id(given: str | None) -> str:
    if given is None or not _SAFE_REQUEST_ID.fullmatch(given):
        return new_request_id()
    return canonical_id(given)


def path_of(target: str) -> str:
    """The path of a request target, percent-encoded, in one normal form: so an encoded slash stays part of its segment."""
    if target.startswith(("http://", "https://")):
        target = "/" + target.partition("://")[2].partition("/")[2]
    path = target.partition("?")[0].partition("#")[0]
    if "%" not in path:
        return path
    return "/".join(quote(unquote_to_bytes(segment), safe=_PATH_CHARACTERS) for segment in path.split("/"))
