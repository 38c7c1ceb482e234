"""An update that cannot be recorded, from its refusal to its place in the ledger."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.product import ROOT, Product
from tests.support.waiting import eventually

DELETES = (
    "DELETE FROM refresh_tokens WHERE user_id = :id",
    "DELETE FROM score_history WHERE user_id = :id",
    "DELETE FROM score_totals WHERE user_id = :id",
    "DELETE FROM users WHERE user_id = :id",
)


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with Product(RETRY_DELAYS_SECONDS="0.2,0.2,0.2") as running:
        yield running


def verb(product: Product, *arguments: str) -> str:
    command = [sys.executable, "-m", "local_runtime", "dead-letters", *arguments, "--data-dir", str(product.data_dir)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout


def test_an_account_that_vanished_in_flight_is_redriven_when_it_is_back(product: Product) -> None:
    player, other = product.api.new_player(), product.api.new_player()
    player.score(1)
    (account,) = product.query("SELECT to_jsonb(users)::text FROM users WHERE user_id = :id", id=player.user_id)
    eventually(lambda: recorded(product, player.user_id) == 1, 20, "the first update in the ledger")
    with product.redis() as board:
        for delete in DELETES:
            product.query(delete, id=player.user_id)
        assert player.score(3).data["score"] == 4, "the account is known for some seconds longer"
        assert other.score(5).status == 200
        eventually(lambda: player.user_id in verb(product, "list"), 30, "it among the dead letters")
        assert recorded(product, other.user_id) == 5
        assert board.zscore("leaderboard", f"user:{player.user_id}") == 4
    assert recorded(product, player.user_id) == 0
    product.query("INSERT INTO users SELECT * FROM jsonb_populate_record(NULL::users, :account)", account=account[0])
    assert "1 moved back to be recorded, 0 left" in verb(product, "redrive")
    eventually(lambda: recorded(product, player.user_id) == 3, 20, "it in the ledger")
    assert verb(product, "list") == "there are no dead letters\n"
    assert "0 moved back" in verb(product, "redrive")


def recorded(product: Product, user_id: str) -> int:
    ((points,),) = product.query("SELECT coalesce(sum(increment), 0) FROM score_history WHERE user_id = :id", id=user_id)
    return int(points)
