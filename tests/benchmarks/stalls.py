"""Updates at half of what saturates a worker while something else goes on: log-ins, a crowd of viewers, a board of a million."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.benchmarks.crowd import Crowd
from tests.benchmarks.figures import Figure, figure
from tests.benchmarks.load import drive
from tests.benchmarks.players import million
from tests.benchmarks.updates import CONNECTIONS, crowd
from tests.support.api import PASSWORD
from tests.support.product import Product

ROUNDS, ROUND_SECONDS = 5, 4.0
VIEWERS = 2_000
P99_LIMIT_SECONDS, LONGEST_LIMIT_SECONDS = 0.010, 0.050


def measure() -> list[Figure]:
    """One company after another, and at last all of them."""
    figures: list[Figure] = []
    with Product(None, "--workers", "1", RATE_LIMIT_REQUESTS="1000000") as product:
        requests = crowd(product)
        pids = [product.pid("http")]
        full = [
            drive(product.base_url, requests, pids, connections=CONNECTIONS, seconds=ROUND_SECONDS * 2).per_second
            for _ in range(3)
        ]
        companies = {
            "alone": (),
            "log-ins": (_log_ins,),
            f"{VIEWERS} viewers": (_viewers,),
            "all of it": (_log_ins, _viewers, million),
        }
        for name, company in companies.items():
            with ExitStack() as stack:
                for begun in company:
                    stack.enter_context(begun(product))
                loads = [
                    drive(
                        product.base_url,
                        requests,
                        pids,
                        connections=CONNECTIONS,
                        seconds=ROUND_SECONDS,
                        rate=statistics.median(full) / 2,
                    )
                    for _ in range(ROUNDS)
                ]
            p99, longest = [load.percentile(99) for load in loads], [load.latencies[-1] for load in loads]
            figures.append(figure(f"update at half load, {name}, p99", "s", p99, "limit", P99_LIMIT_SECONDS))
            figures.append(figure(f"update at half load, {name}, longest", "s", longest, "limit", LONGEST_LIMIT_SECONDS))
    return figures


@contextmanager
def _log_ins(product: Product) -> Iterator[None]:
    """Two people log in, one after another, all the time."""
    ended = threading.Event()
    names = [product.api.new_player() for _ in range(2)]

    def log_in(username: str, password: str) -> None:
        while not ended.wait(0.05):
            product.api.post("/api/tokens", {"username": username, "password": password})

    threads = [threading.Thread(target=log_in, args=(player.username, PASSWORD)) for player in names]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@contextmanager
def _viewers(product: Product) -> Iterator[None]:
    """Everybody watches, and gets ten frames a second."""
    with Crowd(product.base_url, product.api.new_player().access_token, VIEWERS) as viewers:
        assert viewers.hear()["refused"] == 0
        viewers.tell({"watch": ["never"], "seconds": ROUNDS * (ROUND_SECONDS + 2)})
        yield
