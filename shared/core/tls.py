"""What a server must prove before anything is said to it, and which URLs ask for less than they should."""

from __future__ import annotations

import ssl
from urllib.parse import parse_qs, urlsplit

from shared.core.errors import ConfigurationError


def client_context(ca_file: str, setting: str, *, minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> ssl.SSLContext:
    """A context that verifies name and certificate against `ca_file` (or the system's CAs); raises ConfigurationError."""
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise ConfigurationError(f"{setting}: the CA file {ca_file!r} cannot be read: {error.strerror}") from None
    context.minimum_version = minimum
    return context


def is_loopback(host: str) -> bool:
    """Whether a name or an address means this machine, whatever a resolver says."""
    if host == "localhost":
        return True
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def what_travels_unprotected(setting: str, url: str) -> str:
    """A warning about the URL of a server elsewhere, without its password; empty when all is well."""
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
    if mode == "disable" or parts.scheme in ("redis", "amqp"):
        return (
            f"{setting}: what is sent to {host} travels as plain text, the password too; have it use TLS, or a network of its own"
        )
    return ""
