"""Updates a second over HTTP, against the same server's cheapest answer in the same run, in turns."""

from __future__ import annotations

import json
import statistics
import threading
import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

from tests.benchmarks.figures import Figure, figure
from tests.support.api import Player
from tests.support.product import Product

CONNECTIONS = 16
ROUNDS = 5
ROUND_SECONDS = 2.0


def measure(product: Product) -> list[Figure]:
    """The rate of updates and the rate of /healthz, and the ratio of their medians."""
    product_url = product.base_url
    players = [product.api.new_player() for _ in range(64)]
    updates, alive = [], []
    for _ in range(ROUNDS):
        alive.append(_rate(product_url, None))
        updates.append(_rate(product_url, players))
    return [figure("updates over HTTP", "1/s", updates, "GET /healthz", statistics.median(alive))]


def _rate(base_url: str, players: list[Player] | None) -> float:
    stop_at = time.monotonic() + ROUND_SECONDS
    counts = [0] * CONNECTIONS

    def work(slot: int) -> None:
        parts = urlsplit(base_url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        body = json.dumps({"increment": 1})
        own = players[slot::CONNECTIONS] if players else []
        while time.monotonic() < stop_at:
            if own:
                player = own[counts[slot] % len(own)]
                headers = {**player.authorization, "Content-Type": "application/json"}
                connection.request("POST", f"/api/score/{player.user_id}", body, headers)
            else:
                connection.request("GET", "/healthz")
            response = connection.getresponse()
            response.read()
            assert response.status == 200, response.status
            counts[slot] += 1
        connection.close()

    threads = [threading.Thread(target=work, args=(slot,)) for slot in range(CONNECTIONS)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - began)
