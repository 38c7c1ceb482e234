"""Adapters on this worker's servers."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
import redis

from local_runtime.services.postgresql import SUPERUSER, USER, PrivatePostgreSQL
from shared.adapters.postgresql.migrations import PostgresMigrations
from shared.adapters.postgresql.pool import Pool
from shared.adapters.redis.connection import connect
from tests.contract.audit import Audit
from tests.support.product import query


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


@pytest.fixture(scope="session")
def superuser_url(private_postgresql: PrivatePostgreSQL) -> str:
    """For those who may make databases and roles on this worker's PostgreSQL."""
    return private_postgresql.url.replace(f"//{USER}:", f"//{SUPERUSER}:")


@pytest.fixture(scope="session")
def empty_schema(private_postgresql: PrivatePostgreSQL, superuser_url: str) -> str:
    """Name of a database with the schema in it and nothing else, to be copied."""
    name = f"schema_{secrets.token_hex(4)}"
    query(superuser_url, f"CREATE DATABASE {name} OWNER {USER}")
    pool = Pool(f"{private_postgresql.url.rpartition('/')[0]}/{name}")
    PostgresMigrations(pool).apply()
    pool.close()
    return name


@pytest.fixture
def own_database_url(private_postgresql: PrivatePostgreSQL, superuser_url: str, empty_schema: str) -> Iterator[str]:
    """A database of the test's own, with the schema in it."""
    name = f"own_{secrets.token_hex(6)}"
    query(superuser_url, f"CREATE DATABASE {name} OWNER {USER} TEMPLATE {empty_schema}")
    yield f"{private_postgresql.url.rpartition('/')[0]}/{name}"
    query(superuser_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def audit(own_database_url: str, redis_client: redis.Redis) -> Iterator[Audit]:
    """An audit log of the test's own."""
    made = Audit(own_database_url, redis_client)
    yield made
    made.pool.close()
