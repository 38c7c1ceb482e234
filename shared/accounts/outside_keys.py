"""The public keys of an outside identity provider: fetched when a token names one we do not know, but not at every whim."""

from __future__ import annotations

import http.client
import json
import threading
import urllib.request
from collections.abc import Callable
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import jwt

from shared.core.errors import ConfigurationError, Unavailable
from shared.core.logs import get_logger

ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA"})
FETCH_SECONDS = 3.0
MAX_DOCUMENT_BYTES = 256 * 1024
KEEP_SECONDS = 600.0
PAUSE_SECONDS = 30.0
MIN_RSA_BITS = 2048
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_log = get_logger(__name__)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A key set stands where it was configured, or nowhere."""

    def redirect_request(self, *_: Any) -> None:
        return None


class OutsideKeys:
    """A JWK set by URL, kept ten minutes; an unknown key id fetches it anew, at most every 30 s."""

    def __init__(self, url: str, clock: Callable[[], float] = monotonic, fetch_seconds: float = FETCH_SECONDS) -> None:
        parts = urlsplit(url)
        if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)):
            raise ConfigurationError("JWT_JWKS_URL must begin with https:// (http:// only on this machine)")
        self._url = url
        self._clock = clock
        self._fetch_seconds = fetch_seconds
        self._lock = threading.Lock()
        self._opener = urllib.request.build_opener(_NoRedirects)
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = -KEEP_SECONDS
        self._tried_at = -PAUSE_SECONDS
        self._failed = False

    def find(self, key_id: str) -> jwt.PyJWK | None:
        """The key, or None when the provider has none of this id; Unavailable when it could not be asked.

        While somebody asks, those whose key is known do not wait for the answer.
        """
        key = self._keys.get(key_id)
        if self._is_due(key) and self._lock.acquire(blocking=key is None):
            try:
                key = self._keys.get(key_id)
                if self._is_due(key):
                    self._refresh()
                    key = self._keys.get(key_id)
            finally:
                self._lock.release()
        if key is None and self._failed:
            raise Unavailable("The identity provider that issued the token cannot be asked for its keys at the moment.")
        return key

    def _is_due(self, key: jwt.PyJWK | None) -> bool:
        now = self._clock()
        return (key is None or now - self._fetched_at >= KEEP_SECONDS) and now - self._tried_at >= PAUSE_SECONDS

    def _refresh(self) -> None:
        """Fetch; when that fails, the keys we have stay good."""
        self._tried_at = now = self._clock()
        try:
            self._keys = dict(_usable_keys(self._fetch()))
        except (OSError, ValueError, RecursionError, http.client.HTTPException) as error:
            self._failed = True
            _log.warning("key set not fetched", extra={"url": self._url, "cause": repr(error)})
        else:
            self._fetched_at, self._failed = now, False

    def _fetch(self) -> bytes:
        """The document, or as much of it as is too much; whoever sends it drop by drop is given up, too."""
        ends_at = monotonic() + self._fetch_seconds
        document = b""
        with self._opener.open(self._url, timeout=self._fetch_seconds) as response:
            while len(document) <= MAX_DOCUMENT_BYTES and (piece := response.read1(MAX_DOCUMENT_BYTES)):
                document += piece
                if monotonic() > ends_at:
                    raise TimeoutError("the document did not come in time")
        return document


def _usable_keys(raw: bytes) -> list[tuple[str, jwt.PyJWK]]:
    """Signature keys with an id, of an algorithm and a size we accept; the rest are left out. ValueError when it is no set."""
    document = json.loads(raw) if len(raw) <= MAX_DOCUMENT_BYTES else None
    items = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(items, list):
        raise ValueError("not a JWK set, or too large")  # noqa: TRY004 - the document's fault, not a caller's
    usable: list[tuple[str, jwt.PyJWK]] = []
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("kid"), str) or item.get("use", "sig") != "sig":
            continue
        try:
            key = jwt.PyJWK(item)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            continue
        is_weak = item.get("kty") == "RSA" and key.key.key_size < MIN_RSA_BITS
        if key.algorithm_name in ALGORITHMS and not is_weak:
            usable.append((item["kid"], key))
    return usable
