"""Strangers beside those who play, to make a board large."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.product import Product

STEP = 10_000
MILLION = 1_000_000
_BEFORE = "leaderboard:before"


def fill(client: Any, size: int) -> None:
    """Until there are so many on the board."""
    for first in range(client.zcard("leaderboard"), size, STEP):
        client.zadd("leaderboard", {f"user:stranger-{n:08}": n % 1000 for n in range(first, min(first + STEP, size))})


@contextmanager
def strangers(client: Any) -> Iterator[None]:
    """Whoever is put on the board inside is gone at the end, with what was scored meanwhile."""
    client.copy("leaderboard", _BEFORE, replace=True)
    try:
        yield
    finally:
        client.rename(_BEFORE, "leaderboard")


@contextmanager
def million(product: Product) -> Iterator[None]:
    """A million of them."""
    with product.redis() as client, strangers(client):
        fill(client, MILLION)
        yield
