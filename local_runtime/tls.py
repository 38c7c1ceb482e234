"""What the stores must prove before the runtime says anything to them, as the functions ask of them."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import parse_qs, urlsplit

from shared.core.tls import client_context, is_loopback

CA_FILES = {"REDIS_URL": "REDIS_CA_FILE", "AMQP_URL": "AMQP_CA_FILE", "DATABASE_URL": "DATABASE_CA_FILE"}


def amqp_context(ca_file: str) -> ssl.SSLContext:
    """What the broker must prove: TLS 1.3 or newer, its name and its CA."""
    return client_context(ca_file, CA_FILES["AMQP_URL"], minimum=ssl.TLSVersion.TLSv1_3)


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
    context = client_context(options.get("sslrootcert", [ca_file])[0], CA_FILES["DATABASE_URL"])
    context.check_hostname = mode == "verify-full"
    if mode == "require":
        context.verify_mode = ssl.CERT_NONE
    return context
