"""What a server must prove before anything is said to it, and which URLs ask for less than they should."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import parse_qs, urlsplit

from shared.core.errors import ConfigurationError
from shared.core.hosts import each_host
from shared.core.network import is_loopback
from shared.core.tls_versions import AMQP_TLS_MINIMUM, TlsVersion

_VERSIONS: dict[TlsVersion, ssl.TLSVersion] = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
# Of TLS 1.2 only what is as strong as 1.3: a key of its own for each connection, and authenticated encryption.
_CIPHERS_OF_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20"
# What OpenSSL calls it when the other side knows none of our versions, or when we know none of its.
_NO_COMMON_VERSION = ("TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL")


def client_context(ca_file: str, setting: str, *, minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> ssl.SSLContext:
    """A context that verifies name and certificate against `ca_file` (or the system's CAs); raises ConfigurationError."""
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise ConfigurationError(f"{setting}: the CA file {ca_file!r} cannot be read: {error.strerror}") from None
    context.minimum_version = minimum
    return context


def amqp_context(ca_file: str, minimum: TlsVersion) -> ssl.SSLContext:
    """What a broker must prove: this version of TLS or a newer one, its name and its CA."""
    context = client_context(ca_file, "AMQP_CA_FILE", minimum=_VERSIONS[minimum])
    context.set_ciphers(_CIPHERS_OF_1_2)
    return context


def older_tls(error: BaseException, minimum: TlsVersion) -> str:
    """What to do about a broker that knows older versions only; empty when something else is wrong."""
    if minimum != AMQP_TLS_MINIMUM or not isinstance(error, ssl.SSLError) or error.reason not in _NO_COMMON_VERSION:
        return ""
    return f"the broker speaks no TLS {minimum}: update it, or accept TLS 1.2 as well with AMQP_TLS_MINIMUM=1.2"


def redis_options(url: str, ca_file: str) -> dict[str, Any]:
    """What redis-py must be told beside a URL that begins with rediss://."""
    if not url.startswith("rediss://"):
        return {}
    return {"ssl_ca_certs": ca_file or None, "ssl_min_version": ssl.TLSVersion.TLSv1_2}


def what_travels_unprotected(setting: str, url: str) -> str:
    """A warning about the URL of servers elsewhere, without its password; empty when all is well."""
    return next(filter(None, (_what_travels_unprotected(setting, each) for each in each_host(url))), "")


def _what_travels_unprotected(setting: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return ""  # whoever connects says what is wrong with it
    options = parse_qs(parts.query)
    if not host or "host" in options or is_loopback(host):
        return ""
    mode = options.get("sslmode", [""])[0]
    if mode in ("require", "verify-ca") or options.get("ssl_cert_reqs", ["required"])[0] != "required":
        return f"{setting}: nobody checks that {host} is who it says; whoever sits between can read and change what is sent there"
    if mode == "disable" or parts.scheme in ("redis", "redis+sentinel", "redis+cluster", "amqp"):
        return (
            f"{setting}: what is sent to {host} travels as plain text, the password too; have it use TLS, or a network of its own"
        )
    return ""
