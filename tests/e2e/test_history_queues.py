"""The product with several history queues: a consumer for each, and everything that follows the updates still does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.product import ROOT, Product
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("lifecycle")
CONSUMERS = ("consumer", "consumer.2", "consumer.3", "consumer.4")


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with Product(HISTORY_QUEUES="4") as running:
        yield running


def test_every_consumer_records_its_players_and_a_killed_one_loses_nothing(product: Product) -> None:
    assert set(CONSUMERS) <= set(product.runtime["processes"])
    players = [product.api.new_player() for _ in range(12)]
    killed = [product.kill(name) for name in CONSUMERS[1:3]]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda player: player.score(3), players * 5))
    assert {answer.status for answer in answers} == {200}
    for name, pid in zip(CONSUMERS[1:3], killed, strict=True):
        product.wait_replaced(name, pid)
    ids = [player.user_id for player in players]

    def recorded() -> bool:
        rows = product.query("SELECT total FROM score_totals WHERE user_id = ANY(CAST(:ids AS text[]))", ids=ids)
        return [int(row[0]) for row in rows] == [15] * len(players)

    eventually(recorded, 60, "all of it in the ledger")
    assert {player.standing()["score"] for player in players} == {15}
    reconcile = [sys.executable, "-m", "local_runtime", "reconcile", "--full", "--data-dir", str(product.data_dir)]
    assert subprocess.run(reconcile, cwd=ROOT, check=False).returncode == 0, "its markers came through every queue"
