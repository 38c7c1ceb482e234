"""What one more HTTP worker brings: updates a second, and a CPU second, with one, two and four of them."""

from __future__ import annotations

import statistics

from tests.benchmarks.figures import Figure, figure
from tests.benchmarks.load import Load, drive
from tests.benchmarks.updates import CONNECTIONS, crowd
from tests.support.product import Product

WORKERS = (1, 2, 4)
ROUNDS, ROUND_SECONDS, WARM_UP_SECONDS = 4, 4.0, 12.0
Points = list[tuple[float, float]]


def measure() -> tuple[list[Figure], Points]:
    """The figures, and updates a second by workers: past the cores of the machine there is nothing more to be had."""
    loads: dict[int, list[Load]] = {}
    for count in WORKERS:
        with Product(None, "--workers", str(count), RATE_LIMIT_REQUESTS="1000000") as product:
            requests = crowd(product)
            pids = [product.pid("http")]
            drive(product.base_url, requests, pids, connections=CONNECTIONS, seconds=WARM_UP_SECONDS)
            loads[count] = [
                drive(product.base_url, requests, pids, connections=CONNECTIONS, seconds=ROUND_SECONDS) for _ in range(ROUNDS)
            ]
    one = statistics.median(load.per_second for load in loads[1])
    figures = [
        figure(f"updates a second, {count} workers", "1/s", [load.per_second for load in found], "1 worker", one)
        for count, found in loads.items()
    ]
    return figures, [(float(count), statistics.median(load.per_second for load in found)) for count, found in loads.items()]
