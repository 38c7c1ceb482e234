"""How a consumer reaches the broker: TLS 1.3 or newer, verified by name and by CA."""

from __future__ import annotations

from collections.abc import Mapping

import pika

from local_runtime.tcp import KEEPALIVE
from local_runtime.tls import amqp_context

HEARTBEAT_SECONDS = 5  # the broker sends one each 2.5 s where it has nothing else to say
CONNECT_SECONDS = 8.0


def connection_parameters(environment: Mapping[str, str], virtual_host: str) -> pika.URLParameters:
    """Read AMQP_URL and AMQP_CA_FILE; a virtual host of the template beats the URL's, the root one leaves it."""
    parameters = pika.URLParameters(environment["AMQP_URL"])
    if virtual_host != "/":
        parameters.virtual_host = virtual_host
    parameters.heartbeat = HEARTBEAT_SECONDS
    parameters.tcp_options = KEEPALIVE
    parameters.blocked_connection_timeout = None
    parameters.socket_timeout = parameters.stack_timeout = CONNECT_SECONDS
    if parameters.ssl_options is not None:
        context = amqp_context(environment.get("AMQP_CA_FILE", ""))
        parameters.ssl_options = pika.SSLOptions(context, parameters.host)
    return parameters
