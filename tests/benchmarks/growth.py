"""What an update, a read of a place and a read of the top cost on boards of 10 thousand to 10 million players."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.figures import Figure, figure
from tests.benchmarks.load import Load, drive
from tests.benchmarks.players import fill, strangers
from tests.support.product import Product

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
ROUNDS, ROUND_SECONDS, WARM_UP_SECONDS = 3, 2.0, 8.0
FACTOR = 1.5
MAX_MEMORY = 4 * 2**30  # the private one has less on a machine of 8 GB
READS_LIMIT, REDIS_LIMIT_MICROSECONDS = 15_000.0, 25.0
Points = list[tuple[float, float]]


@dataclass(slots=True)
class Growth:
    """By players on the board: updates, reads of a place and of the top a CPU second, and microseconds of Redis an update."""

    updates: Points = field(default_factory=list)
    reads: Points = field(default_factory=list)
    tops: Points = field(default_factory=list)
    redis: Points = field(default_factory=list)


def measure(product: Product, requests: Sequence[bytes], connections: int) -> tuple[list[Figure], Growth]:
    """`requests` are updates of players who are on the board; strangers are put beside them."""
    growth = Growth()
    reads = [read_of(request) for request in requests]
    pids = [product.pid("http")]
    read_rates: list[float] = []
    redis_costs: list[float] = []
    top = [top_of(requests[0])]
    for warming in (requests, reads, top):
        drive(product.base_url, warming, pids, connections=connections, seconds=WARM_UP_SECONDS)
    with product.redis() as client, strangers(client):
        client.config_set("maxmemory", MAX_MEMORY)
        for size in SIZES:
            fill(client, size)
            updates, places, tops, costs = [], [], [], []
            for _ in range(ROUNDS):
                before = redis_microseconds(client)
                load = drive(product.base_url, requests, pids, connections=connections, seconds=ROUND_SECONDS)
                costs.append((redis_microseconds(client) - before) / load.count)
                updates.append(_checked(load).per_cpu_second)
                load = drive(product.base_url, reads, pids, connections=connections, seconds=ROUND_SECONDS)
                places.append(_checked(load).per_cpu_second)
                load = drive(product.base_url, top, pids, connections=connections, seconds=ROUND_SECONDS)
                tops.append(_checked(load).per_cpu_second)
            growth.updates.append((size, statistics.median(updates)))
            growth.reads.append((size, statistics.median(places)))
            growth.tops.append((size, statistics.median(tops)))
            growth.redis.append((size, statistics.median(costs)))
            read_rates += places
            redis_costs += costs
    return [
        figure("GET /api/score/{user_id} a CPU second", "1/s", read_rates, "limit", READS_LIMIT),
        figure("Redis CPU an update", "us", redis_costs, "limit", REDIS_LIMIT_MICROSECONDS),
        figure("update, ten million players to ten thousand", "ratio", [_dearer(growth.updates)], "limit", FACTOR),
        figure("place, ten million players to ten thousand", "ratio", [_dearer(growth.reads)], "limit", FACTOR),
        figure("top, ten million players to ten thousand", "ratio", [_dearer(growth.tops)], "limit", FACTOR),
    ], growth


def read_of(update: bytes) -> bytes:
    """The read of the place of whoever makes this update."""
    head = update.partition(b"\r\n\r\n")[0].split(b"\r\n")
    kept = [line for line in head[1:] if line.lower().startswith((b"host:", b"authorization:"))]
    return b"\r\n".join([head[0].replace(b"POST", b"GET"), *kept, b"", b""])


def top_of(update: bytes) -> bytes:
    """The read of the top by whoever makes this update."""
    lines = read_of(update).split(b"\r\n")
    return b"\r\n".join([b"GET /api/scores HTTP/1.1", *lines[1:]])


def redis_microseconds(client: Any) -> float:
    """User and system time of the server until now."""
    used = client.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"]) * 1e6


def _dearer(points: Points) -> float:
    """How much more the same costs at the end than at the beginning."""
    return points[0][1] / points[-1][1]


def _checked(load: Load) -> Load:
    assert set(load.statuses) == {200}, load.statuses
    return load
