"""A PostgreSQL that can no longer write is left for the one to which its address leads now."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from local_runtime.instance.errors import InstanceError
from local_runtime.instance.outside import check_outside_servers
from local_runtime.instance.servers.ports import free_port
from local_runtime.instance.servers.postgresql import SUPERUSER, USER, PrivatePostgreSQL
from local_runtime.instance.servers.run import running
from shared.core.errors import PostgresUnavailable
from shared.stores.postgresql.pool import Pool
from tests.support.product import let_superuser_in, new_data_dir, query, remove_data_dir
from tests.support.relay import Relay
from tests.support.waiting import eventually

TABLE = "CREATE TABLE IF NOT EXISTS failover (n INT)"


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[PrivatePostgreSQL, PrivatePostgreSQL]]:
    """Two that the same password opens."""
    password, directory = secrets.token_hex(8), new_data_dir()
    directory.mkdir(mode=0o711)
    made = []
    with ExitStack() as stack:
        stack.callback(remove_data_dir, directory)
        for name in ("first", "second"):
            (directory / name).mkdir(mode=0o711)
            server = PrivatePostgreSQL(directory / name, password)
            server.prepare()
            let_superuser_in(directory / name)
            made.append(stack.enter_context(running(server)))
            query(made[-1].url, TABLE)
        yield made[0], made[1]


@pytest.fixture
def first(servers: tuple[PrivatePostgreSQL, PrivatePostgreSQL]) -> Iterator[PrivatePostgreSQL]:
    yield servers[0]
    set_read_only(servers[0], "off")


@pytest.fixture
def relay(first: PrivatePostgreSQL) -> Iterator[Relay]:
    made = Relay(first.url)
    yield made
    made.close()


@pytest.fixture
def pool(relay: Relay) -> Iterator[Pool]:
    made = Pool(relay.url, size=3)
    yield made
    made.close()


def set_read_only(server: PrivatePostgreSQL, state: str) -> None:
    """As a standby is: open sessions, too, from their next transaction on."""
    superuser = server.url.replace(f"//{USER}:", f"//{SUPERUSER}:")
    query(superuser, f"ALTER SYSTEM SET default_transaction_read_only = {state}")
    query(superuser, "SELECT pg_reload_conf()")
    eventually(lambda: query(server.url, "SHOW default_transaction_read_only") == [[state]], 60, f"read-only {state}")


def write(pool: Pool) -> bool:
    try:
        with pool.transaction("test") as session:
            session.run("INSERT INTO failover VALUES (1)")
    except PostgresUnavailable:
        return False
    return True


def port(pool: Pool) -> int:
    with pool.connection() as session:
        return int(session.run("SELECT CAST(current_setting('port') AS int)")[0][0])


def fill(pool: Pool) -> None:
    """Open as many connections as it may have."""
    with pool.connection(), pool.connection(), pool.connection():
        pass


def test_one_refusal_replaces_every_connection(
    servers: tuple[PrivatePostgreSQL, PrivatePostgreSQL], pool: Pool, relay: Relay
) -> None:
    first, second = servers
    fill(pool)
    set_read_only(first, "on")
    relay.lead_to(second.url)
    assert port(pool) == first.port, "what is only read does not show it"
    eventually(lambda: not write(pool), 60, "the write refused")
    with pool.connection(), pool.connection(), pool.connection():
        pass
    assert [port(pool) for _ in range(3)] == [second.port] * 3
    assert write(pool)


def test_a_connection_in_use_meanwhile_is_not_kept_either(
    servers: tuple[PrivatePostgreSQL, PrivatePostgreSQL], pool: Pool, relay: Relay
) -> None:
    first, second = servers
    with pool.connection() as held:
        set_read_only(first, "on")
        eventually(lambda: not write(pool), 60, "the write refused")
        relay.lead_to(second.url)
        assert held.run("SELECT 1") == [[1]]
    assert port(pool) == second.port


def test_one_that_is_writable_again_is_used_again(first: PrivatePostgreSQL, pool: Pool) -> None:
    set_read_only(first, "on")
    eventually(lambda: not write(pool), 60, "the write refused")
    set_read_only(first, "off")
    eventually(lambda: write(pool), 60, "a write")


def test_one_that_stays_read_only_is_not_connected_to_with_every_statement(
    first: PrivatePostgreSQL, pool: Pool, relay: Relay
) -> None:
    set_read_only(first, "on")
    before, began = relay.connections, time.monotonic()
    for _ in range(200):
        assert not write(pool)
    assert relay.connections - before <= 3 + 2 * (time.monotonic() - began)


def test_of_several_servers_the_one_that_takes_writes_is_found(
    servers: tuple[PrivatePostgreSQL, PrivatePostgreSQL], first: PrivatePostgreSQL
) -> None:
    """Behind one that is away, and again when it stops taking them."""
    account, _, where = first.url.rpartition("@")
    place, _, database = where.partition("/")
    other = servers[1].url.rpartition("@")[2].partition("/")[0]
    pool = Pool(f"{account}@127.0.0.1:{free_port()},{place},{other}/{database}", size=2)
    assert write(pool)
    assert port(pool) == int(place.rpartition(":")[2])
    set_read_only(first, "on")
    eventually(lambda: write(pool), 60, "the other one found")
    assert port(pool) == int(other.rpartition(":")[2])
    pool.close()


def test_servers_that_all_only_read_are_no_database(first: PrivatePostgreSQL) -> None:
    account, _, where = first.url.rpartition("@")
    place, _, database = where.partition("/")
    set_read_only(first, "on")
    pool = Pool(f"{account}@{place},{place}/{database}")
    with pytest.raises(PostgresUnavailable), pool.connection():
        pass
    with pytest.raises(InstanceError, match="takes no writes"):
        check_outside_servers({"DATABASE_URL": f"{account}@{place},{place}/{database}"}, {})
