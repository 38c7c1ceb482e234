"""Asks the servers somebody else runs whether they answer and let us in, before anything is started."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, unquote, urlsplit

from local_runtime.instance.errors import InstanceError
from local_runtime.settings import OWNERS_DATABASE_URL
from local_runtime.tls import amqp_context, database_context, redis_options
from shared.core.tls import what_travels_unprotected

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0


def check_outside_servers(urls: Mapping[str, str], ca_files: Mapping[str, str]) -> None:
    """Both by the variable that names the server, as far as given; InstanceError lists all servers that do not answer."""
    checks: dict[str, Callable[[str, str], None]] = {
        "REDIS_URL": _check_redis,
        "AMQP_URL": _check_amqp,
        "DATABASE_URL": _check_database,
        OWNERS_DATABASE_URL: _check_database,
    }
    reasons = {name: _reason(checks[name], url, ca_files.get(name, "")) for name, url in urls.items()}
    problems = [f"{name}={redacted(urls[name])}: {reason}" for name, reason in reasons.items() if reason]
    if problems:
        raise InstanceError(
            "cannot use the servers named in the environment:\n  "
            + "\n  ".join(problems)
            + "\nstart them or correct the variable; without it the instance starts a private server of that kind"
        )
    for name, url in urls.items():
        if warning := what_travels_unprotected(name, url):
            logger.warning(warning)


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


def _reason(check: Callable[[str, str], None], url: str, ca_file: str) -> str:
    try:
        check(url, ca_file)
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


def _check_redis(url: str, ca_file: str) -> None:
    import redis

    if not url.startswith(("redis://", "rediss://")):
        raise ValueError("it must begin with redis:// or rediss://")
    patience = {"socket_timeout": CONNECT_SECONDS, "socket_connect_timeout": CONNECT_SECONDS}
    with redis.Redis.from_url(url, **patience, **redis_options(url, ca_file)) as client:
        client.ping()


def _check_amqp(url: str, ca_file: str) -> None:
    import pika

    logging.getLogger("pika").setLevel(logging.CRITICAL)  # it tells at length what the exception says in a line
    parameters = pika.URLParameters(url)
    parameters.connection_attempts = 1
    parameters.socket_timeout = parameters.stack_timeout = parameters.blocked_connection_timeout = CONNECT_SECONDS
    if urlsplit(url).scheme == "amqps":
        parameters.ssl_options = pika.SSLOptions(amqp_context(ca_file), urlsplit(url).hostname)
    pika.BlockingConnection(parameters).close()


def _check_database(url: str, ca_file: str) -> None:
    """Connect as functions do, and see that a transaction is one: poolers need not keep it together."""
    import pg8000.native

    parts = urlsplit(url)
    port, options = parts.port or 5432, parse_qs(parts.query)
    directory = options.get("host", [""])[0]
    connection = pg8000.native.Connection(
        unquote(parts.username or ""),
        host=parts.hostname or "localhost",
        port=port,
        unix_sock=f"{directory}/.s.PGSQL.{port}" if directory else None,
        database=unquote(parts.path.lstrip("/")) or None,
        password=unquote(parts.password or "") or None,
        timeout=CONNECT_SECONDS,
        ssl_context=database_context(url, ca_file) or False,
        application_name=options.get("application_name", ["scoreboard"])[0],
    )
    try:
        for sql in ("BEGIN", "SELECT 1", "COMMIT"):
            connection.run(sql)
    except pg8000.native.Error as error:
        raise ValueError(f"no transaction ({error}): PgBouncer needs pool_mode = transaction or session") from None
    finally:
        connection.close()
