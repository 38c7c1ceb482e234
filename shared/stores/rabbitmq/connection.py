"""How to reach the broker: TLS 1.3 or newer where nothing else is said, verified by name and by CA."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.adapters.select_connection import SelectConnection
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError
from pika.heartbeat import HeartbeatChecker

from shared.core.amqp import parameters_of_each
from shared.core.errors import ConfigurationError, RabbitUnavailable
from shared.core.tls import older_tls
from shared.core.tls_versions import AMQP_TLS_MINIMUM, TlsVersion

SILENCE_SECONDS = 7.0  # after that the connection counts as lost
CONNECT_SECONDS = 5.0
BLOCKED_SECONDS = 10.0


def connection_parameters(amqp_url: str, ca_file: str, tls_minimum: TlsVersion = AMQP_TLS_MINIMUM) -> list[pika.URLParameters]:
    """Of each broker that the URL names; with `amqps://` it must show a certificate of `ca_file` (or of the system's CAs)."""
    return parameters_of_each(amqp_url, ca_file, CONNECT_SECONDS, tls_minimum)


class _Heartbeats(HeartbeatChecker):  # type: ignore[misc]
    """Ends a connection on which the broker was silent for SILENCE_SECONDS; with pika's own check that takes up to 20 s."""

    def __init__(self, connection: Any, timeout: float) -> None:
        self._heard_at = monotonic()
        super().__init__(connection, timeout)

    def _start_check_timer(self) -> None:
        self._check_interval = 1.0
        super()._start_check_timer()

    def _check_heartbeat(self) -> None:
        now = monotonic()
        if self._has_received_data:
            self._heard_at = now
        if now - self._heard_at > SILENCE_SECONDS:
            self._close_connection()
        else:
            self._start_check_timer()


class _Connection(SelectConnection):  # type: ignore[misc]
    def _create_heartbeat_checker(self) -> HeartbeatChecker | None:
        return _Heartbeats(self, self.params.heartbeat) if self.params.heartbeat else None


def open_connection(
    amqp_url: str,
    ca_file: str,
    tls_minimum: TlsVersion = AMQP_TLS_MINIMUM,
    *,
    connect_seconds: float = CONNECT_SECONDS,
    blocked_seconds: float = BLOCKED_SECONDS,
) -> pika.BlockingConnection:
    """A connection of one's own to the first broker that answers; raises RabbitUnavailable.

    A broker under a resource alarm ends it after `blocked_seconds`.
    """
    brokers = connection_parameters(amqp_url, ca_file, tls_minimum)
    for parameters in brokers:
        parameters.socket_timeout = parameters.stack_timeout = connect_seconds
        parameters.blocked_connection_timeout = blocked_seconds
    try:
        return pika.BlockingConnection(brokers, _Connection)
    except (AMQPError, AMQPConnectorException, OSError) as error:
        advice = older_tls(error, tls_minimum)
        raise RabbitUnavailable from (ConfigurationError(advice) if advice else error)


@contextmanager
def open_broker(amqp_url: str, ca_file: str, tls_minimum: TlsVersion = AMQP_TLS_MINIMUM) -> Iterator[pika.BlockingConnection]:
    """A connection for a block; whatever happens to it there is RabbitUnavailable."""
    connection = open_connection(amqp_url, ca_file, tls_minimum)
    try:
        try:
            yield connection
        finally:
            if connection.is_open:
                connection.close()
    except (AMQPError, OSError) as error:
        raise RabbitUnavailable from error


@contextmanager
def open_channel(amqp_url: str, ca_file: str, tls_minimum: TlsVersion = AMQP_TLS_MINIMUM) -> Iterator[BlockingChannel]:
    """A channel on a connection of its own; like open_broker."""
    with open_broker(amqp_url, ca_file, tls_minimum) as connection:
        yield connection.channel()
