"""From an accepted update to every viewer's socket and to the ledger, on an otherwise idle product."""

from __future__ import annotations

import time
from contextlib import ExitStack

from tests.benchmarks.figures import Figure, figure
from tests.support.api import Player, frame_with
from tests.support.product import Product

UPDATES = 60
VIEWERS = 20
VIEWER_LIMIT_SECONDS = 0.150
LEDGER_LIMIT_SECONDS = 1.0
PAUSE_SECONDS = 0.15


def measure(product: Product) -> list[Figure]:
    """Both latencies, measured update by update."""
    player = product.api.new_player()
    return [
        figure("update to the last of 20 viewers", "s", _to_viewers(player), "limit", VIEWER_LIMIT_SECONDS),
        figure("update to score_history", "s", _to_ledger(product, product.api.new_player()), "limit", LEDGER_LIMIT_SECONDS),
    ]


def _to_viewers(player: Player) -> list[float]:
    seconds = []
    with ExitStack() as stack:
        viewers = [stack.enter_context(player.watch()) for _ in range(VIEWERS)]
        for viewer in viewers:
            viewer.recv(timeout=5)
        for _ in range(UPDATES):
            began = time.perf_counter()
            score = player.score(1).data["score"]
            for viewer in viewers:
                frame_with(viewer, player.user_id, score)
            seconds.append(time.perf_counter() - began)
            time.sleep(PAUSE_SECONDS)
    return seconds


def _to_ledger(product: Product, player: Player) -> list[float]:
    import pg8000.native

    from tests.support.product import connect

    seconds = []
    connection: pg8000.native.Connection = connect(product.runtime["database_url"])
    try:
        for _ in range(UPDATES):
            began = time.perf_counter()
            request_id = player.score(1).data["requestId"]
            while not connection.run("SELECT 1 FROM score_history WHERE request_id = :id", id=request_id):
                time.sleep(0.001)
            seconds.append(time.perf_counter() - began)
            time.sleep(PAUSE_SECONDS)
    finally:
        connection.close()
    return seconds
