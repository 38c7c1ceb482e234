"""AWS Signature Version 4 without botocore, whose import takes longer than everything else in a cold start together."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import os
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlsplit

from shared.core.errors import ConfigurationError

_ALGORITHM = "AWS4-HMAC-SHA256"
_DEFAULT_PORTS = {"https": 443, "http": 80}
TIMEOUT_SECONDS = 3.0
_STALE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """An access key, and the token of the session it belongs to, if it does."""

    key_id: str
    secret: str
    token: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signs, and for which region; the credentials are asked for each time, for they may renew themselves."""

    credentials: Callable[[], Credentials]
    region: str


@dataclass(frozen=True, slots=True)
class UnsignedRequest:
    """A request without a query; `headers` are signed with it."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


def aws_identity() -> Identity:
    """As AWS' own clients find it: what Lambda puts into the environment, else wherever botocore finds something.

    Raises ConfigurationError.
    """
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    key_id, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if key_id and secret and region:
        static = Credentials(key_id, secret, os.environ.get("AWS_SESSION_TOKEN", ""))
        return Identity(lambda: static, region)
    import botocore.session

    session = botocore.session.get_session()
    found, region = session.get_credentials(), region or session.get_config_variable("region")
    if found is None or not region:
        raise ConfigurationError("there are no AWS credentials, or AWS_REGION is not set")
    return Identity(lambda: _plain(found.get_frozen_credentials()), region)


def signed(request: UnsignedRequest, service: str, identity: Identity, now: datetime) -> dict[str, str]:
    """The headers to send: the given ones, and those that prove who sends the request. `now` is in UTC."""
    credentials, moment = identity.credentials(), f"{now:%Y%m%dT%H%M%SZ}"
    added = {"X-Amz-Date": moment} | ({"X-Amz-Security-Token": credentials.token} if credentials.token else {})
    headers = {**request.headers, **added}
    covered = {name.lower(): " ".join(value.split()) for name, value in headers.items()} | {"host": _host(request.url)}
    names = ";".join(sorted(covered))
    canonical = "\n".join(
        (
            request.method,
            # Encoded once more than it is sent, as every service but S3 does.
            quote(urlsplit(request.url).path or "/", safe="/-_.~"),
            "",
            *(f"{name}:{covered[name]}" for name in sorted(covered)),
            "",
            names,
            hashlib.sha256(request.body).hexdigest(),
        )
    )
    scope = f"{moment[:8]}/{identity.region}/{service}/aws4_request"
    text = f"{_ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    authorization = f"{_ALGORITHM} Credential={credentials.key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "Authorization": authorization}


def _host(url: str) -> str:
    parts = urlsplit(url)
    port = "" if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
    return f"{parts.hostname}{port}"


def _plain(found: Any) -> Credentials:
    return Credentials(found.access_key, found.secret_key, found.token or "")


class SignedHttp:
    """One endpoint; each thread has a connection of its own. `service` is the one that signatures are for, '' for none."""

    def __init__(self, base_url: str, service: str) -> None:
        url = urlsplit(base_url)
        if url.scheme not in ("https", "http") or not url.hostname:
            raise ConfigurationError(f"{base_url!r} is no URL of an endpoint")
        self._base = base_url.rstrip("/")
        self._service = service
        self._host, self._port, self._is_tls = url.hostname, url.port, url.scheme == "https"
        self._threads = threading.local()
        self._open: set[http.client.HTTPConnection] = set()

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """Status and body of the answer. Raises OSError when there is none.

        What went to a connection that had been closed meanwhile is sent once more.
        """
        url = self._base + path
        signed = self._signed(method, url, body, dict(headers or {}))
        target = urlsplit(url).path
        connection: http.client.HTTPConnection | None = getattr(self._threads, "connection", None)
        if connection is not None:
            try:
                return self._exchange(connection, method, target, body, signed)
            except _STALE:
                pass
        connection = self._connect()
        self._threads.connection = connection
        self._open.add(connection)
        return self._exchange(connection, method, target, body, signed)

    def close(self) -> None:
        """End all connections."""
        while self._open:
            self._open.pop().close()

    def _exchange(
        self, connection: http.client.HTTPConnection, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except BaseException as error:
            self._threads.connection = None
            self._open.discard(connection)
            connection.close()
            if isinstance(error, http.client.HTTPException) and not isinstance(error, OSError):
                raise ConnectionError(type(error).__name__) from error
            raise

    def _connect(self) -> http.client.HTTPConnection:
        if self._is_tls:
            return http.client.HTTPSConnection(self._host, self._port, timeout=TIMEOUT_SECONDS, context=self._tls)
        return http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)

    def _signed(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> Mapping[str, str]:
        if not self._service:
            return headers
        return signed(UnsignedRequest(method, url, headers, body), self._service, self._identity, datetime.now(UTC))

    @cached_property
    def _identity(self) -> Identity:
        return aws_identity()

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()
