"""How to reach the broker: TLS 1.3 or newer, verified by name and by CA."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError

from shared.adapters.tls import client_context
from shared.errors import ConfigurationError, RabbitUnavailable

HEARTBEAT_SECONDS = 30
CONNECT_SECONDS = 5.0
BLOCKED_SECONDS = 10.0


def connection_parameters(amqp_url: str, ca_file: str) -> pika.URLParameters:
    """Read the URL; with `amqps://` the server must show a certificate of `ca_file` (or of the system's CAs)."""
    if not amqp_url.startswith(("amqp://", "amqps://")):
        raise ConfigurationError("AMQP_URL must begin with amqps:// or amqp://")
    parameters = pika.URLParameters(amqp_url)
    parameters.heartbeat = HEARTBEAT_SECONDS
    parameters.socket_timeout = parameters.stack_timeout = CONNECT_SECONDS
    parameters.blocked_connection_timeout = None
    if parameters.ssl_options is not None:
        context = client_context(ca_file, "AMQP_CA_FILE", minimum=ssl.TLSVersion.TLSv1_3)
        parameters.ssl_options = pika.SSLOptions(context, parameters.host)
    return parameters


def open_connection(amqp_url: str, ca_file: str) -> pika.BlockingConnection:
    """A connection of one's own; raises RabbitUnavailable. A broker under a resource alarm ends it after BLOCKED_SECONDS."""
    parameters = connection_parameters(amqp_url, ca_file)
    parameters.blocked_connection_timeout = BLOCKED_SECONDS
    try:
        return pika.BlockingConnection(parameters)
    except (AMQPError, AMQPConnectorException, OSError) as error:
        raise RabbitUnavailable from error


@contextmanager
def open_broker(amqp_url: str, ca_file: str) -> Iterator[pika.BlockingConnection]:
    """A connection for a block; whatever happens to it there is RabbitUnavailable."""
    connection = open_connection(amqp_url, ca_file)
    try:
        try:
            yield connection
        finally:
            if connection.is_open:
                connection.close()
    except (AMQPError, OSError) as error:
        raise RabbitUnavailable from error


@contextmanager
def open_channel(amqp_url: str, ca_file: str) -> Iterator[BlockingChannel]:
    """A channel on a connection of its own; like open_broker."""
    with open_broker(amqp_url, ca_file) as connection:
        yield connection.channel()
