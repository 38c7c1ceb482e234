"""`make bench`: starts the product, measures, prints a table, writes JSON and a page of plots; `--only` measures some of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import (
    boards,
    cloud_viewers,
    cold_starts,
    distance,
    frames,
    growth,
    history_queues,
    launch,
    live,
    logins,
    long,
    memory,
    processes,
    reconciliation,
    record,
    replicas,
    shards,
    small,
    stages,
    stalls,
    sustained,
    tokens,
    updates,
    viewers,
    workers,
)
from tests.benchmarks.drawings import (
    cost_drawing,
    growth_drawings,
    long_drawings,
    peers_drawing,
    record_drawing,
    sustained_drawings,
    workers_drawing,
)
from tests.benchmarks.figures import Figure, figure, table, write_json
from tests.benchmarks.load import drive
from tests.benchmarks.page import Found, write_page
from tests.support.product import Product

FIRST_START_LIMIT_SECONDS = 15.0
LATER_START_LIMIT_SECONDS = 8.0
LATER_STARTS = 3
_OPTIONS = {"RATE_LIMIT_REQUESTS": "1000000"}


def main() -> None:
    """Run the benchmarks; see the module."""
    parser = argparse.ArgumentParser(description="Measure the product against its limits.")
    parser.add_argument(
        "--json", type=Path, default=Path("dist/benchmarks.json"), help="where the figures go; beside it the page"
    )
    parser.add_argument("--players", type=int, default=100_000, help="size of the large board of the reconciliation (100000)")
    parser.add_argument("--rows", type=int, default=20, help="rows of history of each of them (20)")
    parser.add_argument("--minutes", type=int, default=60, help="of the long run (60)")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=list(PARTS),
        default=[name for name in PARTS if name != "long"],
        help="these parts, in this order (all but `long`)",
    )
    arguments = parser.parse_args()
    figures: list[Figure] = []
    parts: dict[str, Found] = {}
    for name in arguments.only:
        parts[name] = PARTS[name](arguments)
        print(table(parts[name][0]), flush=True)  # noqa: T201 - a command's output
        figures += parts[name][0]
    if len(arguments.only) > 1:
        print("\n" + table(figures))  # noqa: T201
    write_json(figures, arguments.json)
    write_page(parts, arguments.json.with_suffix(".html"))


def _product(_arguments: argparse.Namespace) -> Found:
    """Starts, and what a single user meets."""
    with Product(None, **_OPTIONS) as product:
        figures = [figure("first start", "s", [product.start_seconds], "limit", FIRST_START_LIMIT_SECONDS)]
        figures += live.measure(product) + logins.measure(product)
        later = []
        for _turn in range(LATER_STARTS):
            product.stop()
            later.append(product.start().start_seconds)
    return [*figures, figure("later start", "s", later, "limit", LATER_START_LIMIT_SECONDS)], []


def _updates(_: argparse.Namespace) -> Found:
    with Product(None, "--workers", "1", **_OPTIONS) as product:
        requests = updates.crowd(product)
        figures = updates.measure(product, requests)
        return figures + memory.measure(product, updates.user_of(requests[0])), peers_drawing(figures)


def _stages(_: argparse.Namespace) -> Found:
    with Product(None, "--workers", "1", **_OPTIONS) as product:
        requests = updates.crowd(product)
        drive(product.base_url, requests, [product.pid("http")], seconds=updates.WARM_UP_SECONDS)
        return stages.measure(product, requests), []


def _boards(_: argparse.Namespace) -> Found:
    with Product(None, "--workers", "1", **_OPTIONS) as product:
        return boards.measure(product, updates.crowd(product), updates.CONNECTIONS), []


def _growth(_: argparse.Namespace) -> Found:
    with Product(None, "--workers", "1", **_OPTIONS) as product:
        figures, grown = growth.measure(product, updates.crowd(product), updates.CONNECTIONS)
    return figures, growth_drawings(grown)


def _record(_: argparse.Namespace) -> Found:
    with Product(None, "--workers", "1", **_OPTIONS) as product:
        figures, recorded = record.measure(product)
    return figures, record_drawing(recorded)


def _reconciliation(arguments: argparse.Namespace) -> Found:
    with Product(None, **_OPTIONS) as product:
        return reconciliation.measure(product, arguments.players, arguments.rows), []


def _sustained(_: argparse.Namespace) -> Found:
    figures, found = sustained.measure()
    return figures, sustained_drawings(found)


def _workers(_: argparse.Namespace) -> Found:
    figures, found = workers.measure()
    return figures, workers_drawing(found)


def _processes(_: argparse.Namespace) -> Found:
    figures, costs = processes.measure()
    return figures, cost_drawing(costs)


def _long(arguments: argparse.Namespace) -> Found:
    figures, found = long.measure(arguments.minutes)
    return figures, long_drawings(found)


PARTS: dict[str, Callable[[argparse.Namespace], Found]] = {
    "product": _product,
    "updates": _updates,
    "boards": _boards,
    "growth": _growth,
    "record": _record,
    "reconciliation": _reconciliation,
    "stages": _stages,
    "tokens": lambda _: (tokens.measure(), []),
    "replicas": lambda _: (replicas.measure(), []),
    "distance": lambda _: (distance.measure(), []),
    "shards": lambda _: (shards.measure(), []),
    "processes": _processes,
    "small": lambda _: (small.measure(), []),
    "stalls": lambda _: (stalls.measure(), []),
    "sustained": _sustained,
    "long": _long,
    "workers": _workers,
    "viewers": lambda _: (viewers.measure(), []),
    "launch": lambda _: (launch.measure(), []),
    "frames": lambda _: (frames.measure(), []),
    "cold-starts": lambda _: (cold_starts.measure(), []),
    "history-queues": lambda _: (history_queues.measure(), []),
    "cloud-viewers": lambda _: (cloud_viewers.measure(), []),
}


if __name__ == "__main__":
    main()
