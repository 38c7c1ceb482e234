"""Whether a refused log-in tells by the time it takes if there is such an account."""

from __future__ import annotations

import secrets
import statistics
import time

from tests.benchmarks.figures import Figure, figure
from tests.support.product import Product

ACCOUNTS = 25
FREE_ATTEMPTS = 4  # of an account, before it has to wait


def measure(product: Product) -> list[Figure]:
    """Log-ins with an unknown name against those with a wrong password, in turns."""
    names = [product.api.new_player().username for _ in range(ACCOUNTS)]
    known: list[float] = []
    unknown: list[float] = []
    for attempt in range(FREE_ATTEMPTS):
        for place, name in enumerate(names):
            turns = [(known, name), (unknown, f"player-{secrets.token_hex(6)}")]
            for seconds, username in turns if (attempt + place) % 2 else reversed(turns):
                seconds.append(_refused(product, username))
    return [figure("log-in refused, unknown name", "s", unknown, "wrong password", statistics.median(known))]


def _refused(product: Product, username: str) -> float:
    began = time.perf_counter()
    answer = product.api.post("/api/tokens", {"username": username, "password": "not the password"})
    seconds = time.perf_counter() - began
    assert answer.status == 401, answer.body
    return seconds
