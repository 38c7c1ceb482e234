"""Servers that somebody else runs: what is wrong with their URLs is told before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_runtime.instance.errors import InstanceError
from local_runtime.instance.outside import _reason, check_outside_servers, check_shards
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


@pytest.mark.parametrize("account", ["", "board@"])
def test_a_redis_that_needs_a_password_says_so(redis_url: str, account: str) -> None:
    url = f"redis://{account}{redis_url.rpartition('@')[2]}"
    with pytest.raises(
        InstanceError, match=r"REDIS_URL=redis://.*: it needs a password, and the URL has none: redis://:PASSWORD@"
    ):
        check_outside_servers({"REDIS_URL": url}, {})
    with pytest.raises(InstanceError, match=r"the shard `blue`, .* it needs a password"):
        check_shards(f"blue={url}#{{b}}:", redis_url, "", "")


@pytest.mark.parametrize("url", ["foo", "http://127.0.0.1:5672", "127.0.0.1:5672", "amqp:127.0.0.1"])
def test_a_broker_that_is_not_spoken_to_by_amqp_is_refused(url: str) -> None:
    with pytest.raises(InstanceError, match="must begin with amqp:// or amqps://"):
        check_outside_servers({"AMQP_URL": url}, {})


@pytest.mark.parametrize("password", ["p", "postgres", "postgresql", "begin", "password"])
@pytest.mark.parametrize("name", ["AMQP_URL", "DATABASE_URL", "REDIS_URL"])
def test_a_password_that_is_in_a_reason_by_chance_leaves_no_gap(name: str, password: str) -> None:
    def reason(secret: str) -> str:
        with pytest.raises(InstanceError) as refused:
            check_outside_servers({name: f"http://board:{secret}@127.0.0.1:1/it"}, {})
        return str(refused.value)

    assert reason(password) == reason("x7")


@pytest.mark.parametrize("password", ["pa/ss", "12/ss", "pa?ss", "pa#ss", "12#s@s"])
def test_a_password_that_takes_the_url_apart_is_not_shown(password: str) -> None:
    for name, scheme in (("REDIS_URL", "redis"), ("AMQP_URL", "amqp"), ("DATABASE_URL", "postgresql")):
        with pytest.raises(InstanceError) as refused:
            check_outside_servers({name: f"{scheme}://board:{password}@127.0.0.1:1/it"}, {})
        assert "ss" not in str(refused.value).partition("start them")[0].replace("password", "")
        assert "pa'" not in str(refused.value)


@pytest.mark.parametrize(
    ("password", "said", "shown"),
    [
        ("p", "port 1 of redis://board:p@host and 'p'", "port 1 of redis://board:***@host and '***'"),
        ("postgres", "postgresql://board:postgres@host", "postgresql://board:***@host"),
        ("board", 'no user "board" at board:board@host', 'no user "board" at board:***@host'),
        ("p%40ss", "'p@ss', and p%40ss@", "'***', and p%40ss@"),
        ("aB3-aB3-aB3-", "it was aB3-aB3-aB3-!", "it was ***!"),
    ],
)
def test_a_reason_of_a_library_hides_the_password(password: str, said: str, shown: str) -> None:
    def refuse(_url: str, _ca_file: str) -> None:
        raise ValueError(said)

    assert _reason(refuse, f"redis://board:{password}@host/0", "") == f"ValueError: {shown}"


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
