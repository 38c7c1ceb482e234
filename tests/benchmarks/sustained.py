"""Minutes at full load with everything on one machine: what comes through, how long it pauses, whether the ledger keeps up,
what each process takes, whether memory stays.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import pika

from shared.ledger.queues import HISTORY
from shared.stores.rabbitmq.connection import connection_parameters
from tests.benchmarks.figures import Figure, figure
from tests.benchmarks.load import drive
from tests.benchmarks.memory import resident_kb
from tests.benchmarks.processes import cost_figures, memory_figures, sample
from tests.benchmarks.updates import CONNECTIONS, crowd
from tests.support.product import Product

SLICES, SLICE_SECONDS = 18, 10.0
WARM_UP_SECONDS = 15.0
UPDATES_LIMIT, PAUSE_LIMIT_SECONDS = 9_000.0, 0.100
GROWTH_LIMIT = 1.1
LAG_LIMIT_SECONDS = 1.0
Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Sustained:
    """By seconds from the beginning: updates a second, messages in the history queue, megabytes of our own processes."""

    updates: Points
    queue: Points
    memory: Points


def measure(workers: int = 1) -> tuple[list[Figure], Sustained]:
    """The second half of the time is held against the first."""
    found = Sustained([], [], [])
    loads, taken = [], []
    with Product(None, "--workers", str(workers), RATE_LIMIT_REQUESTS="1000000") as product:
        requests = crowd(product)
        pids = [product.pid("http")]
        drive(product.base_url, requests, pids, connections=CONNECTIONS, seconds=WARM_UP_SECONDS)
        began = time.monotonic()
        taken.append(sample(product))
        for _ in range(SLICES):
            load = drive(product.base_url, requests, pids, connections=CONNECTIONS, seconds=SLICE_SECONDS)
            assert set(load.statuses) == {200}, load.statuses
            at = time.monotonic() - began
            found.updates.append((at, load.per_second))
            found.queue.append((at, float(_waiting(product))))
            found.memory.append((at, sum(resident_kb(product.pid(name)) for name in ("http", "consumer", "scheduler")) / 1024))
            loads.append(load)
            taken.append(sample(product))
    rates = [rate for _, rate in found.updates]
    lags = [waiting / statistics.median(rates) for _, waiting in found.queue]
    half = SLICES // 2
    memory = [megabytes for _, megabytes in found.memory]
    grown = statistics.median(memory[half:]) / statistics.median(memory[:half])
    minutes = SLICES * SLICE_SECONDS / 60
    return [
        figure(f"updates a second for {minutes:.0f} minutes", "1/s", rates, "limit", UPDATES_LIMIT),
        figure("the ledger behind, then", "s", lags, "limit", LAG_LIMIT_SECONDS),
        figure("memory, second half to first", "ratio", [grown], "limit", GROWTH_LIMIT),
        figure("longest update of ten seconds, then", "s", [load.latencies[-1] for load in loads], "limit", 0.250),
        figure("longest pause, then", "s", [max(load.longest_pause for load in loads)], "limit", PAUSE_LIMIT_SECONDS),
        *cost_figures("at full load", taken, [load.count for load in loads]),
        *memory_figures("at full load", taken),
    ], found


def _waiting(product: Product) -> int:
    environment = product.runtime["function_env"]
    parameters = connection_parameters(environment["AMQP_URL"], environment["AMQP_CA_FILE"])
    connection = pika.BlockingConnection(parameters)
    try:
        declared = connection.channel().queue_declare(HISTORY, passive=True)
        return int(declared.method.message_count)
    finally:
        connection.close()
