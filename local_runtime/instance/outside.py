"""Asks the servers somebody else runs whether they answer and let us in, before anything is started."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from local_runtime.instance.errors import InstanceError

CONNECT_SECONDS = 5.0


def check_outside_servers(urls: Mapping[str, str], amqp_ca_file: str) -> None:
    """`urls` holds REDIS_URL, AMQP_URL and DATABASE_URL as far as given; InstanceError lists all that do not answer."""
    checks: dict[str, Callable[[str], None]] = {
        "REDIS_URL": _check_redis,
        "AMQP_URL": lambda url: _check_amqp(url, amqp_ca_file),
        "DATABASE_URL": _check_database,
    }
    problems = [f"{name}={redacted(url)}: {reason}" for name, url in urls.items() if (reason := _reason(checks[name], url))]
    if problems:
        raise InstanceError(
            "cannot use the servers named in the environment:\n  "
            + "\n  ".join(problems)
            + "\nstart them or correct the variable; without it the instance starts a private server of that kind"
        )


def redacted(url: str) -> str:
    """The URL without its password."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(not a URL)"
    account = f"{parts.username or ''}:***@" if parts.password else f"{parts.username}@" if parts.username else ""
    return f"{parts.scheme}://{account}{host}{port}{parts.path}"


def _reason(check: Callable[[str], None], url: str) -> str:
    try:
        check(url)
    except Exception as error:  # whatever a client library raises, the operator gets one line
        text = str(error) or repr(error)
        for password in _passwords(url):
            text = text.replace(password, "***")
        return " ".join(f"{type(error).__name__}: {text}".split())[:300]
    return ""


def _passwords(url: str) -> set[str]:
    try:
        password = urlsplit(url).password or ""
    except ValueError:
        return {url}
    return {password, unquote(password)} - {""}


def _check_redis(url: str) -> None:
    import redis

    with redis.Redis.from_url(url, socket_timeout=CONNECT_SECONDS, socket_connect_timeout=CONNECT_SECONDS) as client:
        client.ping()


def _check_amqp(url: str, ca_file: str) -> None:
    import pika

    logging.getLogger("pika").setLevel(logging.CRITICAL)  # it tells at length what the exception says in a line
    parameters = pika.URLParameters(url)
    parameters.connection_attempts = 1
    parameters.socket_timeout = parameters.stack_timeout = parameters.blocked_connection_timeout = CONNECT_SECONDS
    if urlsplit(url).scheme == "amqps":
        context = ssl.create_default_context(cafile=ca_file or None)
        parameters.ssl_options = pika.SSLOptions(context, urlsplit(url).hostname)
    pika.BlockingConnection(parameters).close()


def _check_database(url: str) -> None:
    import pg8000.native

    parts = urlsplit(url)
    mode = parse_qs(parts.query).get("sslmode", ["prefer"])[0]
    pg8000.native.Connection(
        unquote(parts.username or ""),
        host=parts.hostname or "localhost",
        port=parts.port or 5432,
        database=unquote(parts.path.lstrip("/")) or None,
        password=unquote(parts.password or "") or None,
        timeout=CONNECT_SECONDS,
        ssl_context=_database_tls(mode),
    ).close()


def _database_tls(mode: str) -> Any:
    if mode in ("verify-full", "verify-ca"):
        context = ssl.create_default_context()
        context.check_hostname = mode == "verify-full"
        return context
    return True if mode == "require" else None
