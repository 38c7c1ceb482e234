"""The private servers where something is wrong: killed, full, moved, hidden, in strange places."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pika
import pytest

from local_runtime.instance.servers import programs, run
from local_runtime.instance.servers.errors import ServerError
from local_runtime.instance.servers.postgresql import ACCOUNT, PrivatePostgreSQL, major_version
from local_runtime.instance.servers.postgresql_place import PostgreSQLError, find_place
from local_runtime.instance.servers.rabbitmq import WAL_BYTES, PrivateRabbitMQ
from local_runtime.instance.servers.rabbitmq_data import UNNOTED, Series, can_read
from local_runtime.instance.supervisor.child import Child
from local_runtime.instance.supervisor.spawn import spawn
from local_runtime.instance.supervisor.tree import descendants
from local_runtime.settings import PROJECT_ROOT
from shared.core.amqp import url_parameters
from tests.runtime.supervisor_process import Lines
from tests.support.product import alive, connect, is_stopped, new_data_dir, remove_data_dir
from tests.support.waiting import eventually

MEGABYTE = 1024 * 1024
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
    parameters = url_parameters(server.url, str(server.ca_file))
    parameters.blocked_connection_timeout = 1
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


def test_of_several_versions_the_one_that_made_the_cluster_serves_it(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after an upgrade of the system, which leaves the older one installed."""
    installed = programs.POSTGRES.require()
    server = PrivatePostgreSQL(data_dir, "secret")
    server.prepare()
    made_by = major_version(data_dir / "postgresql" / "cluster")
    newer = data_dir / "installed" / "postgresql" / "999" / "bin" / "postgres"
    newer.parent.mkdir(parents=True)
    newer.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 999.1'\n")
    newer.chmod(0o755)
    places = (str(newer.parent.parent.parent / "*/bin/postgres"), f"{installed.parent.parent.parent}/{made_by}/bin/postgres")
    monkeypatch.setattr(programs, "POSTGRES", replace(programs.POSTGRES, globs=places))
    assert programs.POSTGRES.find() == newer
    with run.running(server):
        connect(server.url).close()


def test_a_place_that_rabbitmq_cannot_work_in_is_refused_at_once(data_dir: Path) -> None:
    with pytest.raises(ServerError, match="apostrophe"):
        PrivateRabbitMQ(data_dir / "o'brien", "secret").prepare()


@pytest.mark.parametrize("copy", [False, True], ids=["moved", "copied"])
def test_a_broker_in_another_place_has_its_messages_and_touches_the_old_place_no_more(data_dir: Path, copy: bool) -> None:
    """Twice, for what is noted at the second place has other forms: names that are long, or in letters that are not Latin."""
    places = [data_dir / "first ü", data_dir / ("long" * 30), data_dir / "третье место"]
    with run.running(PrivateRabbitMQ(places[0], "secret")) as broker, closing(amqp(broker)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("kept", durable=True, arguments={"x-queue-type": "quorum"})
        for number in range(3):
            channel.basic_publish("", "kept", str(number).encode(), pika.BasicProperties(delivery_mode=2), mandatory=True)
    for before, place in pairwise(places):
        if copy:
            shutil.copytree(before, place, symlinks=True)
        else:
            before.rename(place)
        with run.running(PrivateRabbitMQ(place, "secret")) as broker, closing(amqp(broker)) as connection:
            found = [body for _, _, body in islice(connection.channel().consume("kept"), 3)]
        assert found == [b"0", b"1", b"2"]
        assert before.exists() is copy
    if copy:
        with run.running(PrivateRabbitMQ(places[0], "secret")) as broker, closing(amqp(broker)) as connection:
            assert connection.channel().queue_declare("kept", passive=True).method.message_count == 3


def test_a_broker_that_cannot_recover_a_queue_begins_anew_and_keeps_what_is_left(data_dir: Path) -> None:
    """Such a queue would answer nobody for good; as a full disk, a lost block leaves it."""
    server = PrivateRabbitMQ(data_dir, "secret")
    with run.running(server), closing(amqp(server)) as connection:
        connection.channel().queue_declare("kept", durable=True, arguments={"x-queue-type": "quorum"})
    (configuration,) = (data_dir / "rabbitmq/mnesia").rglob("quorum/*/*/config")
    configuration.write_bytes(b"damaged")
    server.prepare()
    mapper, broker = server.specs()
    with run.started(mapper):
        child = Child(broker, lambda spec: spawn(spec, ("A_TEST", data_dir.name)), Lines())
        try:
            child.start(time.monotonic())
            eventually(lambda: tended(child).how_it_ended == "was put right", 120, "it is put right")
            eventually(lambda: tended(child).is_ready, 120, "it serves again")
            with closing(amqp(server)) as connection:
                connection.channel().queue_declare("kept", durable=True, arguments={"x-queue-type": "quorum"})
            assert list((data_dir / "rabbitmq/mnesia.broken").rglob("quorum/*/*/config"))
        finally:
            child.kill()


def test_a_broker_with_a_queue_that_chooses_no_leader_begins_anew(data_dir: Path) -> None:
    """As it may be when it was killed just after the queue was declared again; what it wrote then."""
    server = PrivateRabbitMQ(data_dir, "secret")
    server.prepare()
    (data_dir / "rabbitmq/mnesia/old").touch()
    mend = server.specs()[1].mend
    assert mend is not None
    waits = "<0.48.0> {'%2F_score_updated_queue',scoreboard@localhost}: leader call - leader not known. Command will be forwarded"
    other = "[notice] <0.491.0> queue 'score_history_queue' in vhost '/': candidate -> leader in term: 2 machine version: 2"
    its_own = other.replace("history", "updated")
    assert not mend(f"{waits} once leader is known.\n{other}\n{its_own}\n")
    assert mend(f"{waits} once leader is known.\n{other}\n")
    assert [path.name for path in (data_dir / "rabbitmq/mnesia.broken").iterdir()] == ["old"]


@pytest.mark.parametrize("made_by", ["999.0", "2.8.7"], ids=["newer", "older"])
def test_a_broker_that_cannot_read_what_another_version_left_begins_anew(
    data_dir: Path, made_by: str, caplog: pytest.LogCaptureFixture
) -> None:
    server, noted = PrivateRabbitMQ(data_dir, "secret"), data_dir / "rabbitmq" / "version"
    with run.running(server), closing(amqp(server)) as connection:
        connection.channel().queue_declare("kept", durable=True, arguments={"x-queue-type": "quorum"})
    own = noted.read_text()
    server.prepare()
    assert not (data_dir / "rabbitmq/mnesia.broken").exists(), "its own data is kept"
    noted.write_text(made_by)
    with run.running(server), closing(amqp(server)) as connection, pytest.raises(pika.exceptions.ChannelClosedByBroker):
        connection.channel().queue_declare("kept", passive=True)
    assert list((data_dir / "rabbitmq/mnesia.broken").rglob("quorum/*/*/config"))
    assert noted.read_text() == own
    assert f"of RabbitMQ {'.'.join(made_by.split('.')[:2])}, which {own} cannot read" in caplog.text


@pytest.mark.parametrize(
    ("installed", "made_by", "expected"),
    [
        ((3, 10), (3, 10), True),
        ((4, 3), (4, 0), True),
        ((4, 0), (4, 3), False),
        ((4, 0), UNNOTED, False),
        ((3, 10), UNNOTED, True),
    ],
)
def test_which_data_a_broker_is_started_on(installed: Series, made_by: Series, expected: bool) -> None:
    assert can_read(installed, made_by) is expected


def tended(child: Child, ahead: float = 0.0) -> Child:
    """`ahead`: by how many seconds its clock was put forward."""
    child.tend(time.monotonic() + ahead)
    return child


def test_a_brokers_log_is_rolled_long_before_its_memory_is_full(data_dir: Path) -> None:
    """What is in the log is in memory, too: at the default of 512 MB the broker would stop taking anything each time."""
    with run.running(PrivateRabbitMQ(data_dir, "secret")) as broker, closing(amqp(broker)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("kept", durable=True, arguments={"x-queue-type": "quorum"})
        for _ in range(WAL_BYTES // MEGABYTE + 10):
            channel.basic_publish("", "kept", bytes(MEGABYTE), pika.BasicProperties(delivery_mode=2), mandatory=True)
        logs = {path: path.stat().st_size for path in (data_dir / "rabbitmq/mnesia").rglob("quorum/*/*.wal")}
    assert logs
    assert max(logs.values()) < WAL_BYTES + 5 * MEGABYTE


def test_a_broker_that_runs_out_of_disk_takes_nothing_more(data_dir: Path) -> None:
    with run.running(PrivateRabbitMQ(data_dir, "secret", disk_free_limit="1000000GB")) as server:
        connection = amqp(server)
        connection.channel().basic_publish("", "nowhere", b"point")
        with pytest.raises(pika.exceptions.ConnectionBlockedTimeout):
            connection.process_data_events(60)


def test_a_killed_broker_leaves_none_of_its_helpers(data_dir: Path) -> None:
    server = PrivateRabbitMQ(data_dir, "secret")
    server.prepare()
    mapper, broker = server.specs()
    with run.started(mapper), run.started(broker) as process:
        helpers = descendants(process.pid)
        assert helpers
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        eventually(lambda: not any(map(alive, helpers)), 60, "its helpers were gone")


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
        "from local_runtime.instance.servers.redis import PrivateRedis\n"
        "from local_runtime.instance.servers.run import running\n"
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
    eventually(lambda: not any(map(alive, servers)), 60, "its server was gone")


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


@pytest.fixture
def postgresql(data_dir: Path) -> PrivatePostgreSQL:
    server = PrivatePostgreSQL(data_dir, "secret")
    server.prepare()
    return server


@pytest.fixture
def child(postgresql: PrivatePostgreSQL, data_dir: Path) -> Iterator[Child]:
    (spec,) = postgresql.specs()
    child = Child(spec, lambda spec: spawn(spec, ("A_TEST", data_dir.name)), Lines())
    child.start(time.monotonic())
    eventually(lambda: tended(child).is_ready, 60, "it serves")
    yield child
    child.kill()


def stopped_backends(child: Child) -> set[int]:
    """Hung, as they are on a disk that answers no more."""
    assert child.pid is not None
    backends = descendants(child.pid)
    for pid in backends:
        with suppress(ProcessLookupError):  # that of the probe
            os.kill(pid, signal.SIGSTOP)
    eventually(lambda: all(is_stopped(pid) for pid in backends if alive(pid)), 10, "they hang")
    hung = set(filter(alive, backends))
    assert hung
    return hung


def test_a_postgresql_that_hangs_with_all_of_its_backends_is_replaced(child: Child, postgresql: PrivatePostgreSQL) -> None:
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGSTOP)
    backends = stopped_backends(child)
    while child.pid == first and not child.how_it_ended:
        child.tend(child.next_look_at(0.0) or 0.0)
    assert child.how_it_ended == "has not answered for 60 s"
    eventually(lambda: not any(map(alive, backends)), 10, "its backends are gone")
    eventually(lambda: tended(child, ahead=10_000.0).is_ready, 60, "it serves again")
    assert child.spec.answers is not None
    eventually(child.spec.answers, 10, "it answers")
    connect(postgresql.url).close()


@pytest.mark.parametrize("prepared", [False, True], ids=["started again", "the next start"])
def test_backends_that_hang_do_not_outlive_their_postmaster(
    child: Child, postgresql: PrivatePostgreSQL, data_dir: Path, prepared: bool
) -> None:
    backends = stopped_backends(child)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    if prepared:
        eventually(lambda: not alive(child.pid or 0), 10, "the postmaster is gone")
        PrivatePostgreSQL(data_dir, "secret").prepare()
        assert not any(map(alive, backends))
    eventually(lambda: tended(child).how_it_ended == "was killed by SIGKILL", 10, "noticed")
    eventually(lambda: tended(child).is_ready, 60, "it serves again")
    assert (child.failed_starts, any(map(alive, backends))) == (0, False)
    connect(postgresql.url).close()


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


@pytest.fixture
def linked(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory whose PostgreSQL lies outside, as it does where root runs the instance in a private place."""
    outside = data_dir / "outside"
    monkeypatch.setattr("local_runtime.instance.servers.postgresql_place.OUTSIDE_DIRECTORY", outside)
    (outside / "first").mkdir(parents=True)
    one = data_dir / "one"
    one.mkdir()
    (one / "postgresql").symlink_to(outside / "first")
    return one


def test_a_copy_of_a_data_directory_gets_a_copy_of_what_is_linked_to(linked: Path) -> None:
    keep(PrivatePostgreSQL(linked, "secret"), 1)
    copy = linked.with_name("two")
    shutil.copytree(linked, copy, symlinks=True)
    keep(PrivatePostgreSQL(copy, "secret"), 2)
    assert kept(PrivatePostgreSQL(linked, "secret")) == [1]
    assert kept(PrivatePostgreSQL(copy, "secret")) == [1, 2]


def test_a_copy_that_does_not_fit_what_it_links_to_is_refused_with_what_to_do(linked: Path) -> None:
    link = linked / "postgresql"
    find_place(link, None)
    shutil.copytree(linked, linked.with_name("two"), symlinks=True)
    place = find_place(link, None)
    with pytest.raises(PostgreSQLError, match=r"two is an older copy: .* has been used since by .*one"):
        find_place(linked.with_name("two") / "postgresql", None)
    place.rename(place.with_name("elsewhere"))
    with pytest.raises(PostgreSQLError, match=r"is not there: .*backup"):
        find_place(link, None)
    place.with_name("elsewhere").rename(place)
    assert find_place(link, None) == place


def keep(server: PrivatePostgreSQL, number: int) -> None:
    with run.running(server), closing(connect(server.url)) as connection:
        connection.run("CREATE TABLE IF NOT EXISTS kept (number int)")
        connection.run("INSERT INTO kept VALUES (:number)", number=number)


def kept(server: PrivatePostgreSQL) -> list[int]:
    with run.running(server), closing(connect(server.url)) as connection:
        return [number for (number,) in connection.run("SELECT number FROM kept ORDER BY number")]


def test_data_that_was_copied_without_its_owner_gets_it_back(data_dir: Path) -> None:
    (data_dir / "one").mkdir()
    keep(PrivatePostgreSQL(data_dir / "one", "secret"), 1)
    shutil.copytree(data_dir / "one", data_dir / "two")
    assert kept(PrivatePostgreSQL(data_dir / "two", "secret")) == [1]


def test_a_cluster_that_its_account_can_no_longer_reach_is_a_clear_message(data_dir: Path) -> None:
    PrivatePostgreSQL(data_dir, "secret").prepare()
    data_dir.chmod(0o700)
    refused: AbstractContextManager[Any] = pytest.raises(PostgreSQLError, match="chmod") if IS_ROOT else nullcontext()
    with refused:
        PrivatePostgreSQL(data_dir, "secret").prepare()
