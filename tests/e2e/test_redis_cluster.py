"""The whole product on a Redis Cluster, whose nodes change places under load."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection

from tests.e2e.persistent_players import Players
from tests.support.api import frame_with
from tests.support.product import Product, new_data_dir, remove_data_dir
from tests.support.redis_cluster import RedisCluster, redis_cluster
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("redis cluster"), pytest.mark.timeout(600)]
PREFIX = "{board}:"
LAPS = """
boards:
  laps: {title: Laps, order: ascending, operator: best, periods: [{name: daily, cron: "0 0 * * *"}]}
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    directory = new_data_dir()
    directory.mkdir()
    with redis_cluster(directory, PREFIX) as made:
        yield made
    remove_data_dir(directory)


@pytest.fixture(scope="module")
def product(cluster: RedisCluster) -> Iterator[Product]:
    with Product(None, REDIS_URL=cluster.url, KEY_PREFIX=PREFIX, RATE_LIMIT_REQUESTS="1000000") as started:
        yield started


def succeeds(product: Product, *verb: str) -> None:
    done = product.verb(*verb)
    assert done.returncode == 0, done.stdout + done.stderr


def next_of_laps(viewer: ClientConnection) -> Any:
    """The answer, and then each frame, of a board beside `main`."""
    while True:
        message = json.loads(viewer.recv(timeout=30))
        if message.get("board") == "laps":
            return message


def test_a_game_adds_up_and_every_board_works(product: Product, tmp_path: Path) -> None:
    succeeds(product, "simulate", "--players", "8", "--seconds", "4")
    file = tmp_path / "boards.yaml"
    file.write_text(LAPS)
    succeeds(product, "boards", "apply", str(file), "--yes")
    player = product.api.new_player()
    path = f"/api/boards/laps/scores/{player.user_id}"
    assert product.api.post(path, {"value": 61_203}, player.authorization).status == 200
    assert [row["userId"] for row in player.get("/api/boards/laps/scores").data] == [player.user_id]
    with player.watch() as viewer:
        viewer.send(json.dumps({"type": "subscribe", "id": "1", "board": "laps", "view": {"top": 3}}))
        assert [row["score"] for row in next_of_laps(viewer)["data"]] == [61_203]
        assert product.api.post(path, {"value": 60_999}, player.authorization).status == 200
        assert [row["score"] for row in next_of_laps(viewer)["data"]] == [60_999]
    succeeds(product, "boards", "reset", "laps", "--period", "daily", "--yes")
    succeeds(product, "reconcile", "--full")


def test_the_board_moves_to_another_node_and_nothing_is_lost(product: Product, cluster: RedisCluster) -> None:
    # Whether a player has reached the limit the new primary says when its counts were compared with the ledger.
    players = Players([product], 8, refusals=(429, 503))
    watching = players.players[0]
    with watching.watch() as viewer:
        with players.playing():
            players.wait_for(100)
            cluster.fail_over()
            players.wait_for(100)
            eventually(lambda: cluster.primary.info("replication").get("master_link_status") == "up", 60, "the other one in step")
            cluster.kill(cluster.replica)
            players.wait_for(100)
        # What the node that died had not passed on comes back from the ledger within the minute.
        eventually(lambda: players.board(product) == players.points, 120, "every point on the board")
        players.check(product.runtime["database_url"], product, in_order=False)
        frame_with(viewer, watching.user_id, watching.climb(), 60)
    succeeds(product, "balance")
