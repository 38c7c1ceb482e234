"""The private servers: they start, keep their data, keep strangers out and leave nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pg8000.native
import pika
import pytest
import redis

from local_runtime.instance.servers import run
from local_runtime.instance.servers.certificates import ensure_certificates
from local_runtime.instance.servers.memory import shares_of
from local_runtime.instance.servers.ports import free_port, remembered_port
from local_runtime.instance.servers.postgresql import (
    FUNCTIONS_USER,
    ROLES_FILE,
    SUPERUSER,
    USER,
    PrivatePostgreSQL,
)
from local_runtime.instance.servers.postgresql_place import PostgreSQLError
from local_runtime.instance.servers.programs import MissingProgram, Program
from local_runtime.instance.servers.rabbitmq import PrivateRabbitMQ
from local_runtime.instance.servers.redis import PrivateRedis
from local_runtime.instance.supervisor.process import ProcessSpec
from local_runtime.instance.supervisor.tree import descendants
from shared.core.amqp import url_parameters
from tests.support.product import alive, connect, let_superuser_in, new_data_dir, remove_data_dir
from tests.support.waiting import eventually


@pytest.fixture
def data_dir() -> Iterator[Path]:
    path = new_data_dir()
    path.mkdir(mode=0o711)
    yield path
    remove_data_dir(path)


def amqp(server: PrivateRabbitMQ) -> pika.BlockingConnection:
    return pika.BlockingConnection(url_parameters(server.url, str(server.ca_file)))


@contextmanager
def killed_and_started_again(server: run.Server) -> Iterator[None]:
    """Start, SIGKILL, start again from the same specification."""
    specs = server.specs()
    processes = [run.spawn(spec) for spec in specs]
    try:
        _wait(specs)
        yield
        for process in processes:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        processes = [run.spawn(spec) for spec in specs]
        _wait(specs)
    finally:
        for process, spec in reversed(list(zip(processes, specs, strict=True))):
            run.stop(process, spec)


def _wait(specs: tuple[ProcessSpec, ...]) -> None:
    for spec in specs:
        eventually(spec.probe, 60, f"{spec.name} answered")


def test_redis_keeps_what_it_answered_when_it_is_killed(data_dir: Path) -> None:
    server = PrivateRedis(data_dir, "secret", shares_of(1024))
    server.prepare()
    with killed_and_started_again(server):
        client = redis.Redis.from_url(server.url)
        client.zincrby("leaderboard", 5, "user:1")
        assert client.config_get("maxmemory", "maxmemory-policy") == {
            "maxmemory": str(384 * 2**20),
            "maxmemory-policy": "volatile-ttl",
        }
        client.close()
        pid = next(pid for pid in descendants(os.getpid()) if b"redis-server" in Path(f"/proc/{pid}/cmdline").read_bytes())
        assert b"secret" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    with run.running(server):
        client = redis.Redis.from_url(server.url)
        assert client.zscore("leaderboard", "user:1") == 5
        client.close()


def test_redis_syncs_once_at_once_when_the_clock_was_set_back(private_redis: PrivateRedis) -> None:
    client = redis.Redis.from_url(private_redis.url)
    before = client.dbsize()
    done = client.info("commandstats").get("cmdstat_config|set", {"calls": 0})["calls"]
    assert private_redis.sync_again()
    assert client.info("commandstats")["cmdstat_config|set"]["calls"] == done + 2
    assert client.config_get("appendfsync") == {"appendfsync": "everysec"}
    assert client.dbsize() == before
    client.close()


def test_redis_lets_nobody_in_without_the_password(private_redis: PrivateRedis) -> None:
    client = redis.Redis(port=private_redis.port)
    with pytest.raises(redis.AuthenticationError):
        client.ping()
    client.close()


def test_rabbitmq_keeps_confirmed_messages_when_it_is_killed(data_dir: Path) -> None:
    server = PrivateRabbitMQ(data_dir, "secret", shares_of(1024))
    server.prepare()
    assert "vm_memory_high_watermark.absolute = 256MB\n" in (data_dir / "rabbitmq" / "rabbitmq.conf").read_text()
    url = server.url
    with killed_and_started_again(server):
        connection = amqp(server)
        channel = connection.channel()
        channel.queue_declare("kept", durable=True, arguments={"x-queue-type": "quorum"})
        channel.confirm_delivery()
        channel.basic_publish("", "kept", b"point", pika.BasicProperties(delivery_mode=2))
        connection.close()
        # Erlang's dets holds a new queue's entry back for 3 s; a queue is as old as that before anything relies on it.
        eventually(lambda: any(b"kept" in path.read_bytes() for path in data_dir.rglob("names.dets")), 60, "the queue's entry")
    server.prepare()
    assert server.url == url
    with run.running(server):
        connection = amqp(server)
        assert connection.channel().basic_get("kept", auto_ack=True)[2] == b"point"
        connection.close()


def test_rabbitmq_speaks_tls_1_3_and_nothing_else(private_rabbitmq: PrivateRabbitMQ) -> None:
    context = ssl.create_default_context(cafile=str(private_rabbitmq.ca_file))
    with (
        socket.create_connection(("127.0.0.1", private_rabbitmq.port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        assert secure.version() == "TLSv1.3"
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", private_rabbitmq.port)) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_rabbitmq_lets_nobody_in_with_another_password(private_rabbitmq: PrivateRabbitMQ) -> None:
    parameters = url_parameters(private_rabbitmq.url, str(private_rabbitmq.ca_file))
    parameters.credentials = pika.PlainCredentials("guest", "guest")
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        pika.BlockingConnection(parameters)


def test_postgresql_keeps_what_was_committed_when_it_is_killed(data_dir: Path) -> None:
    server = PrivatePostgreSQL(data_dir, "secret", shares_of(1024))
    server.prepare()
    with killed_and_started_again(server):
        connection = connect(server.url)
        connection.run("CREATE TABLE kept (point INT)")
        connection.run("INSERT INTO kept VALUES (5)")
        assert connection.run("SHOW fsync") == [["on"]]
        assert connection.run("SHOW shared_buffers") == [["64MB"]]
        connection.close()
    with run.running(server):
        connection = connect(server.url)
        assert connection.run("SELECT point FROM kept") == [[5]]
        connection.close()


def test_postgresql_lets_nobody_in_with_another_password(private_postgresql: PrivatePostgreSQL) -> None:
    with pytest.raises(pg8000.native.DatabaseError):
        connect(private_postgresql.url.replace(":" + private_postgresql.url.split(":")[2].split("@")[0], ":wrong"))


def test_the_products_database_user_is_no_superuser(private_postgresql: PrivatePostgreSQL) -> None:
    connection = connect(private_postgresql.url)
    assert connection.run("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [[False]]
    connection.close()


def test_no_password_of_ours_opens_the_superusers_door(data_dir: Path) -> None:
    server = PrivatePostgreSQL(data_dir, "secret")
    with run.running(server):
        for url, user in ((server.url, USER), (server.functions_url, FUNCTIONS_USER)):
            with pytest.raises(pg8000.native.DatabaseError, match="28P01"):
                connect(url.replace(f"//{user}:", f"//{SUPERUSER}:"))


@pytest.mark.parametrize("roles", ["one role", "a superuser with the owner's password"])
def test_a_cluster_of_an_earlier_version_gets_the_roles_of_this_one(data_dir: Path, roles: str) -> None:
    server = PrivatePostgreSQL(data_dir, "secret")
    server.prepare()
    let_superuser_in(data_dir)
    with run.running(server):
        connection = connect(server.url)
        connection.run("CREATE TABLE kept (point INT)")
        connection.run("INSERT INTO kept VALUES (5)")
        connection.close()
        superuser = connect(server.url.replace(f"//{USER}:", f"//{SUPERUSER}:"))
        superuser.run(f"ALTER ROLE {SUPERUSER} PASSWORD 'secret'")
        if roles == "one role":
            superuser.run(f"DROP ROLE {FUNCTIONS_USER}")
        superuser.close()
    cluster = data_dir / "postgresql" / "cluster"
    _, _, rules = (cluster / "pg_hba.conf").read_text().partition("\n")
    (cluster / "pg_hba.conf").write_text(rules)
    if roles == "one role":
        (cluster / ROLES_FILE).unlink()
    else:
        (cluster / ROLES_FILE).write_text("")
    for _ in range(2):
        with run.running(server):
            for url in (server.url, server.functions_url):
                connection = connect(url)
                assert connection.run("SELECT has_table_privilege('kept', 'UPDATE')") == [[url == server.url]]
                connection.close()
            with pytest.raises(pg8000.native.DatabaseError, match="28P01"):
                connect(server.url.replace(f"//{USER}:", f"//{SUPERUSER}:"))


def test_the_functions_password_does_not_open_the_owners_door(private_postgresql: PrivatePostgreSQL) -> None:
    with pytest.raises(pg8000.native.DatabaseError):
        connect(private_postgresql.functions_url.replace(f"//{FUNCTIONS_USER}:", f"//{USER}:"))
    with pytest.raises(pg8000.native.DatabaseError):
        connect(private_postgresql.url.replace(f"//{USER}:", f"//{FUNCTIONS_USER}:"))


def test_a_statement_that_fails_while_a_cluster_is_made_tells_no_password(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local_runtime.instance.servers.postgresql.DATABASE", "not a name")
    with pytest.raises(PostgreSQLError) as refused:
        PrivatePostgreSQL(data_dir, "the-secret").prepare()
    assert "ERROR" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_cluster_whose_making_was_interrupted_is_made_again(data_dir: Path) -> None:
    server = PrivatePostgreSQL(data_dir, "secret")
    (data_dir / "postgresql" / "cluster").mkdir(parents=True)
    (data_dir / "postgresql" / "cluster" / "half").touch()
    with run.running(server):
        connect(server.url).close()


def test_a_cluster_whose_last_line_of_configuration_was_lost_with_the_machine_has_it_again(data_dir: Path) -> None:
    server = PrivatePostgreSQL(data_dir, "secret")
    server.prepare()
    file = data_dir / "postgresql" / "cluster" / "postgresql.conf"
    whole = file.read_bytes()
    file.write_bytes(whole[:-20] + bytes(20))
    server.prepare()
    with run.running(server):
        connect(server.url).close()


def test_postgresql_runs_where_its_account_cannot_reach_the_data_directory(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    server = PrivatePostgreSQL(tmp_path, "secret")
    with run.running(server):
        connect(server.url).close()
    place = (tmp_path / "postgresql").resolve()
    if place != tmp_path / "postgresql":
        remove_data_dir(place / "nothing")


def test_two_servers_of_a_kind_run_side_by_side(data_dir: Path) -> None:
    one, two = PrivateRedis(data_dir / "one", "secret"), PrivateRedis(data_dir / "two", "secret")
    with run.running(one), run.running(two):
        assert one.port != two.port


def test_a_stopped_server_leaves_no_process(data_dir: Path) -> None:
    before = descendants(os.getpid())
    started: set[int] = set()
    for server in (PrivateRedis(data_dir, "a"), PrivatePostgreSQL(data_dir, "a"), PrivateRabbitMQ(data_dir, "a")):
        with run.running(server):
            started |= descendants(os.getpid()) - before
    assert len(started) > 3
    eventually(lambda: not any(map(alive, started)), 60, "all of them have ended")


def test_secrets_of_the_servers_are_readable_by_their_owner_only(data_dir: Path) -> None:
    PrivateRedis(data_dir, "a").prepare()
    PrivateRabbitMQ(data_dir, "a").prepare()
    for name in ("redis/redis.conf", "rabbitmq/rabbitmq.conf", "rabbitmq/tls/server.key"):
        assert stat.S_IMODE((data_dir / name).stat().st_mode) == 0o600


def test_a_server_that_cannot_start_tells_why(data_dir: Path) -> None:
    server = PrivateRedis(data_dir, "a")
    server.prepare()
    (data_dir / "redis" / "redis.conf").write_text("no such directive\n")
    spec = server.specs()[0]
    with pytest.raises(run.StartFailed, match="FATAL CONFIG FILE ERROR"), run.started(spec):
        pass


def test_a_missing_program_is_named_with_its_package() -> None:
    program = Program("no-such-server", (), "some-package", "some-package")
    with pytest.raises(MissingProgram, match="some-package"):
        program.require()


def test_a_port_is_kept_while_it_is_free(tmp_path: Path) -> None:
    port = remembered_port(tmp_path / "port")
    assert remembered_port(tmp_path / "port") == port
    with socket.create_server(("127.0.0.1", port)):
        assert remembered_port(tmp_path / "port") != port
    assert free_port() > 0


def test_certificates_are_kept_until_they_end(tmp_path: Path) -> None:
    import datetime as dt

    first = ensure_certificates(tmp_path).certificate_file.read_bytes()
    assert ensure_certificates(tmp_path).certificate_file.read_bytes() == first
    much_later = dt.datetime.now(dt.UTC) + dt.timedelta(days=800)
    assert ensure_certificates(tmp_path, much_later).certificate_file.read_bytes() != first
