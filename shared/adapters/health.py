"""What /readyz asks: does each store answer, soon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from shared.errors import RabbitUnavailable

if TYPE_CHECKING:
    import redis

    from shared.adapters.postgresql.pool import Pool

PATIENCE_SECONDS = 1.5
RABBITMQ_MEMORY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Ping:
    """The port Dependency: a name and a call that raises Unavailable when nobody answers."""

    name: str
    ping: Callable[[], None]


def redis_dependency(client: redis.Redis) -> Ping:
    """PING, on a connection of the pool."""
    from shared.adapters.redis.connection import translated

    def ping() -> None:
        with translated():
            client.ping()

    return Ping("redis", ping)


def postgresql_dependency(pool: Pool) -> Ping:
    """SELECT 1, on a connection of the pool."""

    def ping() -> None:
        with pool.connection(PATIENCE_SECONDS) as session:
            session.run("SELECT 1")

    return Ping("postgresql", ping)


def rabbitmq_dependency(amqp_url: str, ca_file: str) -> Ping:
    """A connection of its own, opened and closed; a good answer is remembered for a second, so that asking is never a burden."""
    answered_at = -RABBITMQ_MEMORY_SECONDS

    def ping() -> None:
        nonlocal answered_at
        if monotonic() - answered_at < RABBITMQ_MEMORY_SECONDS:
            return
        import pika
        from pika.adapters.utils.connection_workflow import AMQPConnectorException
        from pika.exceptions import AMQPError

        from shared.adapters.rabbitmq.connection import connection_parameters

        parameters = connection_parameters(amqp_url, ca_file)
        parameters.socket_timeout = parameters.stack_timeout = PATIENCE_SECONDS
        try:
            pika.BlockingConnection(parameters).close()
        except (AMQPError, AMQPConnectorException, OSError) as error:
            raise RabbitUnavailable from error
        answered_at = monotonic()

    return Ping("rabbitmq", ping)
