"""The frames that players' updates make: when the last viewer has one, how many of them reach everybody, how often they come."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise

from local_runtime.gateway.websocket.broadcast import version_of
from tests.benchmarks.crowd import Crowd
from tests.benchmarks.figures import Figure, figure
from tests.benchmarks.load import drive
from tests.benchmarks.updates import CONNECTIONS, crowd
from tests.benchmarks.viewers import CHANNEL
from tests.support.product import Product

CROWDS = {1_000: 0.040, 3_000: 0.060}  # viewers, and seconds within which nine frames of ten should be with the last of them
WORKERS = (1, 2)
UPDATES_A_SECOND = (20.0, 200.0)
WARM_UP_SECONDS, SECONDS = 5.0, 15.0
FRAMES_A_SECOND = 10.0


def measure() -> list[Figure]:
    """A crowd after the other, at some loads; of one worker, then of two that share it."""
    return [each for workers in WORKERS for each in _of_workers(workers)]


def _of_workers(workers: int) -> list[Figure]:
    figures: list[Figure] = []
    with Product(None, "--workers", str(workers), RATE_LIMIT_REQUESTS="1000000") as product:
        requests = crowd(product)
        drive(product.base_url, requests, [product.pid("http")], connections=CONNECTIONS, seconds=WARM_UP_SECONDS)
        token = product.api.new_player().access_token
        for viewers, limit in CROWDS.items():
            with Crowd(product.base_url, token, viewers) as gathered:
                assert gathered.hear()["refused"] == 0
                for rate in UPDATES_A_SECOND:
                    when = f"{viewers:,} viewers of {workers} worker{'s' * (workers > 1)}, {rate:.0f} updates/s"
                    figures += _figures(product, gathered, requests, viewers, rate, limit, when)
    return figures


def _figures(
    product: Product, gathered: Crowd, requests: list[bytes], viewers: int, rate: float, limit: float, when: str
) -> list[Figure]:
    with ThreadPoolExecutor(1) as others, _published(product) as published:
        playing = others.submit(
            drive, product.base_url, requests, [product.pid("http")], connections=CONNECTIONS, seconds=SECONDS, rate=rate
        )
        gathered.tell({"watch": None, "seconds": SECONDS + 1})
        heard = gathered.hear()
        playing.result()
    complete = [version for version, seen in heard["seen"].items() if seen == viewers and version in published]
    seconds = sorted(heard["last"][version] - published[version] for version in complete)
    sent = sorted(heard["first"][version] for version in heard["first"])
    return [
        figure(f"frame to the last of {when}", "s", seconds, "limit", limit),
        figure(f"the same, nine of ten, {when}", "s", [seconds[int(len(seconds) * 0.9)]], "limit", limit),
        figure(f"frames that reached all of {when}", "frames", [len(complete)], "published", len(published)),
        figure(f"frames a second to {when}", "1/s", [_most_in_a_second(sent)], "limit", FRAMES_A_SECOND),
        figure(f"time between two frames, {when}", "s", [later - earlier for earlier, later in pairwise(sent)], "limit", 0.1),
    ]


def _most_in_a_second(instants: list[float]) -> float:
    """Of any second."""
    return float(max(sum(began <= at < began + 1 for at in instants) for began in instants))


@contextmanager
def _published(product: Product) -> Iterator[dict[str, float]]:
    """When each version was published (monotonic seconds), as somebody sees it who listens beside the gateway."""
    instants: dict[str, float] = {}
    ended = threading.Event()
    with product.redis() as client, client.pubsub(ignore_subscribe_messages=True) as subscription:
        subscription.subscribe(CHANNEL)

        def listen() -> None:
            while not ended.is_set():
                message = subscription.get_message(timeout=0.1)
                if message is not None:
                    instants[str(version_of(message["data"].encode()))] = time.monotonic()

        listening = threading.Thread(target=listen)
        listening.start()
        try:
            yield instants
        finally:
            ended.set()
            listening.join()
