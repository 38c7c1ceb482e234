"""What it costs to acknowledge an update when a replica has it (REDIS_REPLICAS), in turns with updates that do not wait."""

from __future__ import annotations

import statistics
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.figures import Figure, figure
from tests.benchmarks.load import Load, drive
from tests.benchmarks.updates import CONNECTIONS, crowd
from tests.support.product import Product
from tests.support.redis_pair import redis_pair

ROUNDS, ROUND_SECONDS, WARM_UP_SECONDS = 5, 3.0, 6.0
RATE, CPU_RATIO = 500.0, 1.5


def measure() -> list[Figure]:
    """Two products on one Redis with a replica: one waits for it."""
    with TemporaryDirectory() as directory, redis_pair(Path(directory)) as pair:
        pair.replicate(pair.second, pair.first_url)
        databases = ({"REDIS_URL": f"{pair.first_url[:-1]}{number}", "RATE_LIMIT_REQUESTS": "1000000"} for number in range(2))
        with (
            Product(None, "--workers", "1", **next(databases)) as without,
            Product(None, "--workers", "1", BROADCAST_CHANNEL="waiting", REDIS_REPLICAS="1", **next(databases)) as waiting,
        ):
            products = {"without": without, "waiting": waiting}
            requests = {name: crowd(product) for name, product in products.items()}

            def turn(name: str, seconds: float = ROUND_SECONDS, rate: float = 0) -> Load:
                product = products[name]
                load = drive(
                    product.base_url, requests[name], [product.pid("http")], connections=CONNECTIONS, seconds=seconds, rate=rate
                )
                assert set(load.statuses) == {200}, load.statuses
                return load

            for name in products:
                turn(name, WARM_UP_SECONDS)
            full: dict[str, list[Load]] = {name: [] for name in products}
            half: dict[str, list[Load]] = {name: [] for name in products}
            for _ in range(ROUNDS):
                for name in products:
                    full[name].append(turn(name))
                    half[name].append(turn(name, rate=RATE))
    costs = {name: [1e6 / load.per_cpu_second for load in loads] for name, loads in full.items()}
    rates = {name: [load.per_second for load in loads] for name, loads in full.items()}
    of_one, what = statistics.median(costs["without"]), "an update that waits for a replica"
    figures = [
        figure(f"HTTP worker, {what}", "us", costs["waiting"], "without", of_one),
        figure(f"HTTP worker, {what}", "us", costs["waiting"], "limit", CPU_RATIO * of_one),
        figure("updates that wait for a replica", "/s", rates["waiting"], "without", statistics.median(rates["without"])),
    ]
    for percent in (50, 99):
        found = {name: [load.percentile(percent) for load in loads] for name, loads in half.items()}
        name = f"p{percent} at {RATE:.0f}/s, {what}"
        figures.append(figure(name, "s", found["waiting"], "without", statistics.median(found["without"])))
    return figures
