"""Requests to AWS signed with Signature Version 4, over connections that are kept: several times as fast as boto3."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from urllib.parse import urlsplit

from shared.core.errors import ConfigurationError
from shared.stores.aws.signature import Identity, UnsignedRequest, aws_identity, signed

TIMEOUT_SECONDS = 3.0
_STALE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)


class SignedHttp:
    """One endpoint; each thread has a connection of its own. `service` is the one that signatures are for, '' for none."""

    def __init__(self, base_url: str, service: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        url = urlsplit(base_url)
        if url.scheme not in ("https", "http") or not url.hostname:
            raise ConfigurationError(f"{base_url!r} is no URL of an endpoint")
        self._base = base_url.rstrip("/")
        self._service = service
        self._host, self._port, self._is_tls = url.hostname, url.port, url.scheme == "https"
        self._timeout_seconds = timeout_seconds
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
            return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_seconds, context=self._tls)
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_seconds)

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
