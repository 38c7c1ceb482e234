"""What can go wrong, done to a running product."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.support.product import Product, descendants
from tests.support.waiting import eventually

STOPPED_SECONDS = (1.0, 6.0)
ALARM_SECONDS = (2.0, 6.0)
Inject = Callable[[Product, Random], None]


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
    broker_control(product, "set_vm_memory_high_watermark", "absolute", "512MB")


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
        program = product.data_dir / "rabbitmq" / "server" / "sbin" / "rabbitmqctl"
        return (
            subprocess.run([program, *arguments], env=environment, capture_output=True, check=False, timeout=60).returncode == 0
        )

    eventually(done, 90, f"rabbitmqctl {arguments[0]}")


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
    )
}
