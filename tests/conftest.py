"""Real servers for every suite, started through the product's own code; each worker of a parallel run has its own."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from local_runtime.services.postgresql import PrivatePostgreSQL
from local_runtime.services.rabbitmq import PrivateRabbitMQ
from local_runtime.services.redis import PrivateRedis
from local_runtime.services.run import running
from shared.config import Settings
from shared.services.rebuild_leaderboard import pages
from shared.wiring import Container, container
from tests.support.product import new_data_dir, remove_data_dir


@pytest.fixture(scope="session")
def servers_dir() -> Iterator[Path]:
    """Where this worker's servers keep their data."""
    data_dir = new_data_dir()
    data_dir.mkdir(mode=0o711)
    yield data_dir
    remove_data_dir(data_dir)


@pytest.fixture(scope="session")
def private_redis(servers_dir: Path) -> Iterator[PrivateRedis]:
    """A running Redis."""
    with running(PrivateRedis(servers_dir, secrets.token_hex(16))) as server:
        yield server


@pytest.fixture(scope="session")
def private_rabbitmq(servers_dir: Path) -> Iterator[PrivateRabbitMQ]:
    """A running RabbitMQ."""
    with running(PrivateRabbitMQ(servers_dir, secrets.token_hex(16))) as server:
        yield server


@pytest.fixture(scope="session")
def private_postgresql(servers_dir: Path) -> Iterator[PrivatePostgreSQL]:
    """A running PostgreSQL."""
    with running(PrivatePostgreSQL(servers_dir, secrets.token_hex(16))) as server:
        yield server


@pytest.fixture(scope="session")
def redis_url(private_redis: PrivateRedis) -> str:
    """URL of this worker's Redis."""
    return private_redis.url


@pytest.fixture(scope="session")
def amqp_url(private_rabbitmq: PrivateRabbitMQ) -> str:
    """URL of this worker's RabbitMQ."""
    return private_rabbitmq.url


@pytest.fixture(scope="session")
def amqp_ca_file(private_rabbitmq: PrivateRabbitMQ) -> str:
    """PEM file of the CA that signed its certificate."""
    return str(private_rabbitmq.ca_file)


@pytest.fixture(scope="session")
def database_url(private_postgresql: PrivatePostgreSQL) -> str:
    """URL of this worker's PostgreSQL, for the owner of the tables."""
    return private_postgresql.url


def new_signing_key() -> str:
    """An Ed25519 private key as JWT_SIGNING_KEY wants it."""
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


@pytest.fixture(scope="session")
def function_environment(
    redis_url: str, amqp_url: str, amqp_ca_file: str, private_postgresql: PrivatePostgreSQL
) -> dict[str, str]:
    """Every variable a function needs, as the product gives them; the schema and the queues are there, the board is open."""
    environment = {
        "REDIS_URL": redis_url,
        "AMQP_URL": amqp_url,
        "AMQP_CA_FILE": amqp_ca_file,
        "DATABASE_URL": private_postgresql.functions_url,
        "MIGRATIONS_DATABASE_URL": private_postgresql.url,
        "JWT_SIGNING_KEY": new_signing_key(),
        "PAYLOAD_KEYS": "test:" + base64.b64encode(secrets.token_bytes(32)).decode(),
        "BROADCAST_CHANNEL": "leaderboard:frames",
    }
    stores = Container(Settings.from_environment(environment))
    stores.migrations.apply()
    stores.topology.declare()
    stores.leaderboard.rebuild(pages(stores.reconciliations))
    stores.close()
    return environment


@pytest.fixture
def deployed(function_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Container]:
    """The container that handlers of this test use, made afresh from `function_environment`."""
    for name, value in function_environment.items():
        monkeypatch.setenv(name, value)
    container.cache_clear()
    made = container()
    yield made
    made.close()
    container.cache_clear()
