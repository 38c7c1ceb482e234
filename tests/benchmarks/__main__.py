"""`make bench`: starts the product, measures, prints a table, writes JSON and draws."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.benchmarks import (
    cloud_viewers,
    cold_starts,
    growth,
    history_queues,
    live,
    logins,
    reconciliation,
    record,
    updates,
    viewers,
)
from tests.benchmarks.drawings import drawings
from tests.benchmarks.figures import Figure, figure, table, write_json
from tests.benchmarks.plots import write
from tests.support.product import Product

FIRST_START_LIMIT_SECONDS = 15.0
LATER_START_LIMIT_SECONDS = 8.0
LATER_STARTS = 3


def main() -> None:
    """Run all benchmarks; see the module."""
    parser = argparse.ArgumentParser(description="Measure the product against its limits.")
    parser.add_argument("--json", type=Path, default=Path("dist/benchmarks.json"), help="where the figures go")
    parser.add_argument("--players", type=int, default=100_000, help="size of the large board of the reconciliation (100000)")
    parser.add_argument("--rows", type=int, default=20, help="rows of history of each of them (20)")
    arguments = parser.parse_args()
    figures: list[Figure] = []
    with Product(None, RATE_LIMIT_REQUESTS="1000000") as product:
        figures.append(figure("first start", "s", [product.start_seconds], "limit", FIRST_START_LIMIT_SECONDS))
        figures += live.measure(product)
        figures += logins.measure(product)
        requests = updates.crowd(product)
        figures += updates.measure(product, requests)
        grown, growth_found = growth.measure(product, requests, updates.CONNECTIONS)
        recording, recorded = record.measure(product)
        figures += grown + recording
        later = []
        for _ in range(LATER_STARTS):
            product.stop()
            later.append(product.start().start_seconds)
        figures += reconciliation.measure(product, arguments.players, arguments.rows)
        figures.append(figure("later start", "s", later, "limit", LATER_START_LIMIT_SECONDS))
    figures += viewers.measure()
    figures += cold_starts.measure()
    figures += history_queues.measure()
    figures += cloud_viewers.measure()
    print(table(figures))  # noqa: T201 - a command's output
    write_json(figures, arguments.json)
    write(drawings(figures, growth_found, recorded), arguments.json.parent)


if __name__ == "__main__":
    main()
