"""Adapters on this worker's servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from shared.adapters.postgresql.migrations import PostgresMigrations
from shared.adapters.postgresql.pool import Pool
from shared.adapters.redis.connection import connect


@pytest.fixture(scope="session")
def database(database_url: str) -> Iterator[Pool]:
    """A pool on a database with the schema in it."""
    pool = Pool(database_url)
    PostgresMigrations(pool).apply()
    yield pool
    pool.close()


@pytest.fixture(scope="session")
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    """A client of Redis as the product makes it."""
    client = connect(redis_url)
    yield client
    client.close()
