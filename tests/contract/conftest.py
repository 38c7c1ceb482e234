"""Adapters on this worker's servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from shared.stores.postgresql.pool import Pool
from shared.stores.redis.connection import connect
from tests.contract.audit import Audit
from tests.support.tls_redis import TlsRedis
from tests.support.tls_redis import tls_redis as running_tls_redis


@pytest.fixture(scope="module")
def database(database_url: str) -> Iterator[Pool]:
    """A pool on a database with the schema in it."""
    pool = Pool(database_url)
    yield pool
    pool.close()


@pytest.fixture(scope="session")
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    """A client of Redis as the product makes it."""
    client = connect(redis_url)
    yield client
    client.close()


@pytest.fixture(scope="session")
def tls_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsRedis]:
    """A Redis that speaks nothing but TLS."""
    with running_tls_redis(tmp_path_factory.mktemp("redis-tls")) as made:
        yield made


@pytest.fixture
def audit(own_database_url: str, redis_client: redis.Redis) -> Iterator[Audit]:
    """An audit log of the test's own."""
    made = Audit(own_database_url, redis_client)
    yield made
    made.pool.close()
