"""How to reach a broker by its URL."""

from __future__ import annotations

from urllib.parse import urlsplit

import pika

from shared.core.errors import ConfigurationError
from shared.core.hosts import each_host
from shared.core.tcp import OPTIONS
from shared.core.tls import amqp_context
from shared.core.tls_versions import AMQP_TLS_MINIMUM, TlsVersion

HEARTBEAT_SECONDS = 5  # the broker sends one each 2.5 s where it has nothing else to say


def parameters_of_each(
    url: str, ca_file: str, connect_seconds: float, tls_minimum: TlsVersion = AMQP_TLS_MINIMUM
) -> list[pika.URLParameters]:
    """Those of each broker of a cluster that the URL names, see url_parameters; the loss of a connection is noticed soon."""
    brokers = [url_parameters(each, ca_file, tls_minimum) for each in each_host(url)]
    for parameters in brokers:
        parameters.heartbeat = HEARTBEAT_SECONDS
        parameters.socket_timeout = parameters.stack_timeout = connect_seconds
        parameters.blocked_connection_timeout = None
        parameters.tcp_options = OPTIONS
    return brokers


def url_parameters(url: str, ca_file: str, tls_minimum: TlsVersion = AMQP_TLS_MINIMUM) -> pika.URLParameters:
    """Read the URL; with `amqps://` the server must show a certificate of `ca_file` (or of the system's CAs).

    Raises ValueError where it is no such URL, ConfigurationError where its scheme is another or the file cannot be read.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("amqp", "amqps") or "://" not in url:
        raise ConfigurationError("AMQP_URL must begin with amqp:// or amqps://")
    is_secure = parts.scheme == "amqps"
    # For amqps:// pika itself would read all CAs of the system, 30 ms of computing, and they would be replaced here.
    parameters = pika.URLParameters(f"amqp{url[len('amqps') :]}" if is_secure else url)
    if is_secure and parts.port is None:
        parameters.port = parameters.DEFAULT_SSL_PORT
    if is_secure or parameters.ssl_options is not None:
        parameters.ssl_options = pika.SSLOptions(amqp_context(ca_file, tls_minimum), parameters.host)
    return parameters
