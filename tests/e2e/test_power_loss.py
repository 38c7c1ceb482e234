"""The whole machine is gone in one instant, and Redis's append-only file has lost its last moments."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.api import PASSWORD, Player
from tests.support.product import Product
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("power"), pytest.mark.timeout(600)]


@pytest.fixture
def product() -> Iterator[Product]:
    with Product(None, "--workers", "1") as running:
        yield running


def append_only_file(product: Product) -> Path:
    """Where Redis writes now."""
    (found,) = (product.data_dir / "redis").rglob("*.incr.aof")
    return found


def lose_power(product: Product, size: int) -> None:
    """Kill everything at once; of the append-only file so many bytes were written, and zeros stand for the rest."""
    assert product.process is not None
    for pid in (product.process.pid, *product.children()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    product.process.wait(60)
    file = append_only_file(product)
    lost = file.stat().st_size - size
    assert lost > 0
    os.truncate(file, size)
    os.truncate(file, size + lost)


def written(product: Product) -> int:
    """How much of it there is when Redis has written all it was told."""
    assert product.redis().ping()
    return append_only_file(product).stat().st_size


def test_who_logged_out_stays_out_and_guessers_gain_nothing(product: Product) -> None:
    api = product.api
    leaves, stays = api.new_player(), api.new_player()
    for player in (leaves, stays):
        assert player.score().status == 200
    size = written(product)
    assert api.request("DELETE", "/api/tokens", headers=leaves.authorization).status == 204
    guesses = {"username": stays.username, "password": "not the password"}
    while api.post("/api/tokens", guesses).status == 401:
        pass
    lose_power(product, size)
    product.start()
    back = product.api
    assert of(leaves, product).get("/api/scores").json["code"] == "session_ended"
    eventually(lambda: of(stays, product).score().status == 200, 90, "others play on")
    assert of(leaves, product).score().json["code"] == "session_ended"
    answers = [back.post("/api/tokens", guesses).status for _ in range(3)]
    assert answers.count(401) <= 1
    login = {"username": leaves.username, "password": PASSWORD}
    assert back.post("/api/tokens", login).status == 200, "who knows the password is not kept waiting"


def of(player: Player, product: Product) -> Player:
    """The player at the address that the product has now."""
    player.api = product.api
    return player
