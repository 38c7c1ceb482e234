"""Verifies AWS Signature Version 4 of a request, as API Gateway's management API demands it."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

SERVICE = "execute-api"
_CLOCK_SKEW_SECONDS = 300
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/aws4_request"
    r", ?SignedHeaders=(?P<headers>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class AccessKey:
    """The one key that may sign; without an id nothing is ever accepted."""

    key_id: str
    secret: str

    def __repr__(self) -> str:
        """The id only."""
        return f"AccessKey({self.key_id!r})"


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a signature covers: `path` still percent-encoded, header names in lower case."""

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def is_signed(request: SignedRequest, access_key: AccessKey, now: datetime, service: str = SERVICE) -> bool:
    """Whether the request bears a fresh signature made with this key, for this service."""
    match = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    timestamp = request.headers.get("x-amz-date", "")
    if match is None or not access_key.key_id or not access_key.secret or not _is_fresh(timestamp, now):
        return False
    signed_headers = match["headers"].split(";")
    if "host" not in signed_headers or "x-amz-date" not in signed_headers or match["service"] != service:
        return False
    if not timestamp.startswith(match["date"]) or not hmac.compare_digest(match["key"].encode(), access_key.key_id.encode()):
        return False
    scope = f"{match['date']}/{match['region']}/{service}/aws4_request"
    digest = hashlib.sha256(_canonical(request, signed_headers).encode("latin-1", "replace")).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{digest}"
    expected = hmac.new(_signing_key(access_key.secret, scope), text.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, match["signature"])


def _is_fresh(timestamp: str, now: datetime) -> bool:
    try:
        signed_at = datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs((now - signed_at).total_seconds()) <= _CLOCK_SKEW_SECONDS


def _canonical(request: SignedRequest, signed_headers: list[str]) -> str:
    # The path is encoded once more, as for every service but S3. Queries have no meaning here and are not accepted signed.
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signed_headers)
    body_hash = hashlib.sha256(request.body).hexdigest()
    path = quote(request.path, safe="/-_.~")
    return "\n".join((request.method, path, request.query_string, headers, ";".join(signed_headers), body_hash))


def _signing_key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
