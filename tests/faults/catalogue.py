"""What can go wrong, done to a running product."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pg8000.exceptions
import pytest
import redis

from local_runtime.instance.servers import programs
from local_runtime.instance.servers.memory import own_shares
from local_runtime.instance.servers.postgresql import DATABASE
from local_runtime.instance.supervisor.tree import descendants
from tests.support.product import Product, query, remove_data_dir
from tests.support.small_disk import ProductOnDisk
from tests.support.waiting import eventually

STOPPED_SECONDS = (1.0, 6.0)
ALARM_SECONDS = (2.0, 6.0)
Inject = Callable[[ProductOnDisk, Random], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """`name` is the key of results; `inject` does it and returns when the product is left alone with it."""

    name: str
    inject: Inject


def _kill(process: str) -> Fault:
    def inject(product: Product, _: Random) -> None:
        with suppress(ProcessLookupError):  # it is just being replaced
            product.kill(process)

    return Fault(f"{process} killed", inject)


def _stop(process: str) -> Fault:
    def inject(product: Product, random: Random) -> None:
        with suppress(ProcessLookupError), stopped(product.pid(process)):
            time.sleep(random.uniform(*STOPPED_SECONDS))

    return Fault(f"{process} stopped", inject)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """SIGSTOP for as long as the block lasts."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # the supervisor replaced what did not answer
            os.kill(pid, signal.SIGCONT)


def http_workers(product: Product) -> list[int]:
    """Pids of the HTTP master's children."""
    return sorted(descendants(product.pid("http")))


def _kill_worker(product: Product, random: Random) -> None:
    with suppress(ProcessLookupError, IndexError):
        os.kill(random.choice(http_workers(product)), signal.SIGKILL)


def _stop_worker(product: Product, random: Random) -> None:
    with suppress(ProcessLookupError, IndexError), stopped(random.choice(http_workers(product))):
        time.sleep(random.uniform(*STOPPED_SECONDS))


def _empty_redis(product: Product, _: Random) -> None:
    with suppress(OSError), product.redis() as client:
        client.flushall()


def _cut_connections(product: Product, _: Random) -> None:
    """All of them, in the middle of whatever is under way: confirms that are awaited never come."""
    broker_control(product, "eval", "[exit(Connection, kill) || Connection <- rabbit_networking:connections()].")


def _raise_alarm(product: Product, random: Random) -> None:
    """Nothing is taken from publishers; connections are blocked as RabbitMQ does it when its memory is full."""
    broker_control(product, "set_vm_memory_high_watermark", "absolute", "1")
    time.sleep(random.uniform(*ALARM_SECONDS))
    broker_control(product, "set_vm_memory_high_watermark", "absolute", f"{own_shares().rabbitmq}MB")


def broker_control(product: Product, *arguments: str) -> None:
    """rabbitmqctl on the private broker, with the broker's own environment; waits for one that is just starting."""

    def done() -> bool:
        pid = product.pid("rabbitmq")
        try:
            environment = dict(
                entry.split("=", 1) for entry in Path(f"/proc/{pid}/environ").read_text().split("\0") if "=" in entry
            )
        except OSError:
            return False
        program = programs.RABBITMQ.require().with_name("rabbitmqctl")
        command = [*product.enter, str(program), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60).returncode == 0

    eventually(done, 90, f"rabbitmqctl {arguments[0]}")


def _delete_queue(name: str) -> Fault:
    def inject(product: Product, _: Random) -> None:
        broker_control(
            product,
            "eval",
            f'''
            {{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"{name}">>)),
            rabbit_amqqueue:delete(Q, false, false, <<"test">>).''',
        )

    return Fault(f"{name} deleted", inject)


def _read_only_database(product: Product, random: Random) -> None:
    """As after a failover that went to a standby: what is connected is told to come again."""
    database = f"ALTER DATABASE {DATABASE} SET default_transaction_read_only"
    with suppress(pg8000.exceptions.Error, OSError):
        product.write(f"{database} = on")
        _end_sessions(product)
        time.sleep(random.uniform(*STOPPED_SECONDS))
    eventually(lambda: _succeeds(lambda: product.write(f"{database} = off")), 60, "a database that may be written")
    _end_sessions(product)


def _end_sessions(product: Product) -> None:
    """Those of the functions."""
    url = product.runtime["function_env"]["DATABASE_URL"]
    with suppress(pg8000.exceptions.Error, OSError):
        query(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid()",
        )


def _replica(product: Product, random: Random) -> None:
    """As after a failover that went elsewhere: it still answers what is read, and refuses to be written."""
    with suppress(redis.RedisError), product.redis() as client:
        client.replicaof("127.0.0.1", 1)
        time.sleep(random.uniform(*STOPPED_SECONDS))

    def promoted() -> None:
        with product.redis() as client:
            client.replicaof("NO", "ONE")

    eventually(lambda: _succeeds(promoted), 30, "a primary again")


def _full(product: Product, random: Random) -> None:
    with suppress(redis.RedisError), product.redis() as client:
        before = client.config_get("maxmemory")["maxmemory"]
        client.config_set("maxmemory", "1")
        try:
            time.sleep(random.uniform(*STOPPED_SECONDS))
        finally:
            client.config_set("maxmemory", before)


def _lose_power(product: Product, random: Random) -> None:
    """Everything dies at once, and Redis has lost its last second when it starts again; zeros may stand for what was lost.

    Not while the broker is away: what is acknowledged then is in Redis alone.
    """
    _wait_until_ready(product)
    data = product.data_dir / "redis"
    sizes = {path: path.stat().st_size for path in data.rglob("*.aof")}
    time.sleep(1.0)
    assert product.process is not None
    for pid in (*descendants(product.process.pid), product.process.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    product.process.wait()
    for path, size in sizes.items():
        if path.exists() and path.stat().st_size > size:
            lost = path.stat().st_size - size
            os.truncate(path, size)
            os.truncate(path, size + random.randint(0, lost))
    product.start()


def _fill_disk(product: ProductOnDisk, random: Random) -> None:
    """At a stroke, before anybody can prepare for it."""
    product.disk.fill()
    try:
        _kill_everything(product, random)
    finally:
        product.disk.make_room()
    _wait_until_noted(product)


def _read_only_disk(product: ProductOnDisk, random: Random) -> None:
    with product.disk.read_only():
        _kill_everything(product, random)
    _wait_until_noted(product)


def _kill_everything(product: Product, random: Random) -> None:
    """But the supervisor, one process after another in any order; HTTP is there again nevertheless."""
    time.sleep(random.uniform(0.0, 1.0))
    pids = product.runtime["processes"]  # what is started meanwhile may not stand there
    for name in random.sample(PROCESSES, len(PROCESSES)):
        if pids[name] in product.children():
            os.kill(pids[name], signal.SIGKILL)
        time.sleep(random.uniform(0.2, 1.5))
    eventually(product.is_alive, 60, "/healthz answered")
    assert product.process is not None
    assert product.process.poll() is None


def _wait_until_noted(product: Product) -> None:
    eventually(lambda: set(product.runtime["processes"].values()) <= product.children(), 90, "every process runs and is noted")


def _wait_until_ready(product: Product) -> None:
    """By a look at the stores that began after this moment."""
    began = time.monotonic()

    def is_ready() -> bool:
        with suppress(OSError):
            report = product.api.get("/readyz").json["data"]
            return bool(report["status"] == "ready" and time.monotonic() - report["ageSeconds"] > began)
        return False

    eventually(is_ready, 120, "ready")


def _park_and_redrive(product: Product, random: Random) -> None:
    """Updates are refused and parked; they are listed and redriven while the consumer dies."""
    product.write("ALTER TABLE score_history ADD CONSTRAINT refused CHECK (increment > 5) NOT VALID")
    try:
        time.sleep(random.uniform(2.0, 4.0))
    finally:
        eventually(
            lambda: _succeeds(lambda: product.write("ALTER TABLE score_history DROP CONSTRAINT IF EXISTS refused")),
            60,
            "updates taken again",
        )
    product.verb("dead-letters", "list")
    with suppress(ProcessLookupError):
        product.kill("consumer")
    product.verb("dead-letters", "redrive")
    with suppress(ProcessLookupError):
        product.kill("consumer")


def redrive_all(product: Product) -> None:
    """Until no update waits for another try or lies among the dead letters."""

    def none_left() -> bool:
        if not product.query("SELECT 1 FROM unrecorded_updates WHERE state <> 'discarded' LIMIT 1"):
            return True
        product.verb("dead-letters", "redrive")
        return False

    eventually(none_left, 120, "no dead letter left")


def _second_instance(product: Product, random: Random) -> None:
    """Another machine on the same stores, which it needs at its start; it dies of a sudden."""
    _wait_until_ready(product)
    with other_instance(product, **keys_of(product)) as other:
        other.start()
        time.sleep(random.uniform(1.0, 3.0))


def _stranger(product: Product, _: Random) -> None:
    """One with keys of its own is refused at the start, and harms nothing."""
    _wait_until_ready(product)
    with other_instance(product) as other, pytest.raises(AssertionError, match=r"(?i)key"):
        other.start()


@contextmanager
def other_instance(product: Product, **environment: str) -> Iterator[Product]:
    """On the same stores; killed at the end with all its processes."""
    runtime = product.runtime
    stores = {
        "REDIS_URL": runtime["redis_url"],
        "AMQP_URL": runtime["amqp_url"],
        "AMQP_CA_FILE": runtime["ca_file"],
        "DATABASE_URL": runtime["function_env"]["DATABASE_URL"],
        "MIGRATIONS_DATABASE_URL": runtime["database_url"],
        "RATE_LIMIT_REQUESTS": "1000000",
    }
    other = Product(None, **stores, **environment)
    other.enter = product.enter  # files that the stores' URLs need are there
    try:
        yield other
    finally:
        if other.process is not None:
            for pid in (*descendants(other.process.pid), other.process.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            other.process.wait()
        remove_data_dir(other.data_dir)


def keys_of(product: Product) -> dict[str, str]:
    """As the environment of another instance has them."""
    secrets = json.loads((product.data_dir / "secrets.json").read_text())
    return {"JWT_SIGNING_KEY": secrets["jwt_signing_key"], "PAYLOAD_KEYS": secrets["payload_keys"]}


def _succeeds(call: Callable[[], object]) -> bool:
    try:
        call()
    except (pg8000.exceptions.Error, redis.RedisError, OSError):
        return False
    return True


PROCESSES = ("http", "consumer", "scheduler", "redis", "rabbitmq", "postgresql")
CATALOGUE: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault("HTTP worker killed", _kill_worker),
        Fault("HTTP worker stopped", _stop_worker),
        *(_kill(process) for process in PROCESSES),
        *(_stop(process) for process in PROCESSES),
        Fault("broker connections cut", _cut_connections),
        Fault("broker under its memory alarm", _raise_alarm),
        Fault("redis emptied", _empty_redis),
        Fault("redis a replica", _replica),
        Fault("redis full", _full),
        _delete_queue("score_history_queue"),
        _delete_queue("score_updated_queue"),
        Fault("postgresql read-only", _read_only_database),
        Fault("updates refused, redriven between kills", _park_and_redrive),
        Fault("another instance killed", _second_instance),
        Fault("an instance with other keys refused", _stranger),
        Fault("power lost", _lose_power),
        Fault("disk full, everything killed", _fill_disk),
        Fault("disk read-only, everything killed", _read_only_disk),
    )
}
