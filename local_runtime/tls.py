"""What a server must prove before the runtime says anything to it, and which URLs ask for less than they should."""

from __future__ import annotations

import ssl
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qs, urlsplit

CA_FILES = {"REDIS_URL": "REDIS_CA_FILE", "AMQP_URL": "AMQP_CA_FILE", "DATABASE_URL": "DATABASE_CA_FILE"}


def client_context(ca_file: str, *, minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> ssl.SSLContext:
    """A context that verifies name and certificate against `ca_file`, or the system's CAs."""
    context = ssl.create_default_context(cafile=ca_file or None)
    context.minimum_version = minimum
    return context


def amqp_context(ca_file: str) -> ssl.SSLContext:
    """What the broker must prove: TLS 1.3 or newer, its name and its CA."""
    return client_context(ca_file, minimum=ssl.TLSVersion.TLSv1_3)


def redis_options(url: str, ca_file: str) -> dict[str, Any]:
    """What redis-py must be told beside a URL that begins with rediss://."""
    if not url.startswith("rediss://"):
        return {}
    return {"ssl_ca_certs": ca_file or None, "ssl_min_version": ssl.TLSVersion.TLSv1_2}


def database_context(url: str, ca_file: str) -> ssl.SSLContext | None:
    """As the functions read `sslmode` and `sslrootcert`: verified, unless the server is here or the URL says otherwise."""
    parts = urlsplit(url)
    options = parse_qs(parts.query)
    is_here = "host" in options or is_loopback(parts.hostname or "")
    mode = options.get("sslmode", ["disable" if is_here else "verify-full"])[0]
    if mode == "disable":
        return None
    context = client_context(options.get("sslrootcert", [ca_file])[0])
    context.check_hostname = mode == "verify-full"
    if mode == "require":
        context.verify_mode = ssl.CERT_NONE
    return context


def is_loopback(host: str) -> bool:
    """Whether a name or an address means this machine, whatever a resolver says."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def what_travels_unprotected(name: str, url: str) -> str:
    """A warning about the URL of a server elsewhere, without its password; empty when all is well."""
    parts = urlsplit(url)
    host, options = parts.hostname or "", parse_qs(parts.query)
    if not host or "host" in options or is_loopback(host):
        return ""
    mode = options.get("sslmode", [""])[0]
    if mode in ("require", "verify-ca") or options.get("ssl_cert_reqs", ["required"])[0] != "required":
        return f"{name}: nobody checks that {host} is who it says; whoever sits between can read and change what is sent there"
    if mode == "disable" or parts.scheme in ("redis", "amqp"):
        return f"{name}: what is sent to {host} travels as plain text, the password too; have it use TLS, or a network of its own"
    return ""
