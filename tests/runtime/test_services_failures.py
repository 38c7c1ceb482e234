"""The private servers where something is wrong: killed, full, moved, hidden, in strange places."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pika
import pytest

from local_runtime.services import run
from local_runtime.services.errors import ServerError
from local_runtime.services.postgresql import ACCOUNT, PostgreSQLError, PrivatePostgreSQL
from local_runtime.services.rabbitmq import PrivateRabbitMQ
from local_runtime.settings import PROJECT_ROOT
from tests.support.product import alive, connect, descendants, new_data_dir, remove_data_dir
from tests.support.waiting import eventually

IS_ROOT = os.geteuid() == 0


@pytest.fixture
def data_dir() -> Iterator[Path]:
    path = new_data_dir()
    path.mkdir(mode=0o711)
    yield path
    for link in path.glob("**/postgresql"):
        if link.is_symlink():
            shutil.rmtree(link.resolve(), ignore_errors=True)
    remove_data_dir(path)


def amqp(server: PrivateRabbitMQ) -> pika.BlockingConnection:
    parameters = pika.URLParameters(server.url)
    parameters.blocked_connection_timeout = 1
    parameters.ssl_options = pika.SSLOptions(ssl.create_default_context(cafile=str(server.ca_file)), parameters.host)
    return pika.BlockingConnection(parameters)


def test_two_brokers_run_side_by_side_one_of_them_in_a_strange_place(data_dir: Path) -> None:
    one, two = PrivateRabbitMQ(data_dir / "sp ace ä$x #;(1)", "one"), PrivateRabbitMQ(data_dir / "plain", "two")
    with run.running(one), run.running(two):
        for server in (one, two):
            connection = amqp(server)
            connection.channel().queue_declare("own", durable=True, arguments={"x-queue-type": "quorum"})
            connection.close()


def test_data_of_another_major_version_is_refused_with_what_to_do(data_dir: Path) -> None:
    server = PrivatePostgreSQL(data_dir, "secret")
    server.prepare()
    version = data_dir / "postgresql" / "cluster" / "PG_VERSION"
    version.write_text("9\n")
    with pytest.raises(PostgreSQLError, match=r"PostgreSQL 9's, and this machine has .*: install PostgreSQL 9"):
        server.prepare()


def test_a_place_that_rabbitmq_cannot_work_in_is_refused_at_once(data_dir: Path) -> None:
    with pytest.raises(ServerError, match="apostrophe"):
        PrivateRabbitMQ(data_dir / "o'brien", "secret").prepare()


def test_a_broker_that_runs_out_of_disk_takes_nothing_more(data_dir: Path) -> None:
    with run.running(PrivateRabbitMQ(data_dir, "secret", disk_free_limit="1000000GB")) as server:
        connection = amqp(server)
        connection.channel().basic_publish("", "nowhere", b"point")
        with pytest.raises(pika.exceptions.ConnectionBlockedTimeout):
            connection.process_data_events(20)


def test_a_killed_broker_leaves_none_of_its_helpers(data_dir: Path) -> None:
    server = PrivateRabbitMQ(data_dir, "secret")
    server.prepare()
    mapper, broker = server.specs()
    with run.started(mapper), run.started(broker) as process:
        helpers = descendants(process.pid)
        assert helpers
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        eventually(lambda: not any(map(alive, helpers)), 20, "its helpers were gone")


def test_a_broker_serves_on_when_only_its_port_mapper_was_killed(data_dir: Path) -> None:
    server = PrivateRabbitMQ(data_dir, "secret")
    server.prepare()
    mapper, broker = server.specs()
    with run.started(mapper) as mapper_process, run.started(broker):
        mapper_process.kill()
        mapper_process.wait()
        with run.started(mapper):
            amqp(server).close()
            assert broker.probe()


def test_a_killed_test_run_leaves_no_server(data_dir: Path) -> None:
    program = (
        "import sys, pathlib, signal\n"
        "from local_runtime.services.redis import PrivateRedis\n"
        "from local_runtime.services.run import running\n"
        "with running(PrivateRedis(pathlib.Path(sys.argv[1]), 'secret')):\n"
        "    print('up', flush=True)\n"
        "    signal.pause()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(data_dir)], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        servers = descendants(process.pid)
        assert servers
        process.kill()
    eventually(lambda: not any(map(alive, servers)), 10, "its server was gone")


def test_postgresql_is_not_misled_by_a_pid_that_another_program_has_by_now(data_dir: Path) -> None:
    server = PrivatePostgreSQL(data_dir, "secret")
    server.prepare()
    account = ACCOUNT if IS_ROOT else None
    with subprocess.Popen(["sleep", "100"], cwd="/", user=account, group=account, extra_groups=[] if account else None) as other:
        try:
            pid_file = data_dir / "postgresql/cluster/postmaster.pid"
            pid_file.write_text(f"{other.pid}\n{pid_file.parent}\n")
            if account:
                shutil.chown(pid_file, account)
            with run.running(server):
                connect(server.url).close()
        finally:
            other.kill()


def test_preparing_does_not_disturb_the_pid_file_of_a_running_postgresql(data_dir: Path) -> None:
    server = PrivatePostgreSQL(data_dir, "secret")
    with run.running(server):
        PrivatePostgreSQL(data_dir, "secret").prepare()
        assert (data_dir / "postgresql/cluster/postmaster.pid").exists()


def test_a_new_data_directory_where_a_moved_one_was_takes_nothing_of_it(data_dir: Path) -> None:
    hidden = data_dir / "hidden"
    hidden.mkdir(mode=0o700)
    moved = PrivatePostgreSQL(hidden / "one", "secret")
    (hidden / "one").mkdir()
    with run.running(moved):
        connection = connect(moved.url)
        connection.run("CREATE TABLE kept ()")
        connection.close()
    (hidden / "one").rename(hidden / "two")
    (hidden / "one").mkdir()
    PrivatePostgreSQL(hidden / "one", "secret").prepare()
    with run.running(PrivatePostgreSQL(hidden / "two", "secret")) as server:
        connection = connect(server.url)
        assert connection.run("SELECT * FROM kept") == []
        connection.close()
    assert (hidden / "one/postgresql").resolve() != (hidden / "two/postgresql").resolve()


def test_a_cluster_that_its_account_can_no_longer_reach_is_a_clear_message(data_dir: Path) -> None:
    PrivatePostgreSQL(data_dir, "secret").prepare()
    data_dir.chmod(0o700)
    refused: AbstractContextManager[Any] = pytest.raises(PostgreSQLError, match="chmod") if IS_ROOT else nullcontext()
    with refused:
        PrivatePostgreSQL(data_dir, "secret").prepare()
