"""Servers that somebody else runs: what is wrong with their URLs is told before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_runtime.instance.errors import InstanceError
from local_runtime.instance.outside import check_outside_servers
from local_runtime.instance.servers.postgresql import PrivatePostgreSQL
from local_runtime.instance.servers.run import running
from shared.core.errors import ConfigurationError
from shared.stores.redis.connection import connect
from tests.support.pgbouncer import PgBouncer


@pytest.mark.parametrize("url", ["unix:///run/redis.sock", "http://127.0.0.1:6379", "127.0.0.1:6379"])
def test_a_redis_that_is_not_spoken_to_over_tcp_is_refused(url: str) -> None:
    with pytest.raises(InstanceError, match="must begin with redis://"):
        check_outside_servers({"REDIS_URL": url}, {})
    with pytest.raises(ConfigurationError, match="must begin with redis://"):
        connect(url)


@pytest.mark.parametrize("url", ["foo", "http://127.0.0.1:5672", "127.0.0.1:5672", "amqp:127.0.0.1"])
def test_a_broker_that_is_not_spoken_to_by_amqp_is_refused(url: str) -> None:
    with pytest.raises(InstanceError, match="must begin with amqp:// or amqps://"):
        check_outside_servers({"AMQP_URL": url}, {})


@pytest.mark.parametrize("pool_mode", ["transaction", "session"])
def test_a_pooler_that_keeps_transactions_together_is_taken(
    private_postgresql: PrivatePostgreSQL, servers_dir: Path, pool_mode: str
) -> None:
    with running(PgBouncer(servers_dir / f"pgbouncer-{pool_mode}", private_postgresql.url, pool_mode=pool_mode)) as pooler:
        check_outside_servers({"DATABASE_URL": pooler.through(private_postgresql.url)}, {})


def test_a_pooler_that_takes_transactions_apart_is_refused_with_what_to_do(
    private_postgresql: PrivatePostgreSQL, servers_dir: Path
) -> None:
    with running(PgBouncer(servers_dir / "pgbouncer-statement", private_postgresql.url, pool_mode="statement")) as pooler:
        url = pooler.through(private_postgresql.url)
        with pytest.raises(InstanceError, match="needs pool_mode = transaction"):
            check_outside_servers({"DATABASE_URL": url}, {})
