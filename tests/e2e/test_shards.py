"""A board that moves between two servers of Redis while players enter, and one of the servers dies."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_runtime.instance.servers.redis import PrivateRedis
from local_runtime.instance.servers.run import spawn, stop
from tests.faults.load import BOARD, Load
from tests.support.api import PASSWORD, Player
from tests.support.product import Product
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("shards")


class Blue:
    """A server of Redis that can be killed."""

    def __init__(self, directory: Path) -> None:
        self._server = PrivateRedis(directory, "blue")
        self._server.prepare()
        [self._spec] = self._server.specs()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self._server.url

    def start(self) -> None:
        self._process = spawn(self._spec)
        eventually(self._spec.probe, 60, "Redis that answers")

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(60)

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process, self._spec)


@pytest.fixture
def blue(tmp_path: Path) -> Iterator[Blue]:
    server = Blue(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def product(blue: Blue) -> Iterator[Product]:
    with Product(RATE_LIMIT_REQUESTS="1000000", REDIS_SHARDS=f"blue={blue.url} green=#green:") as running:
        yield running


def everybody(product: Product, players: int) -> Load:
    product.verb("create-user", "admin", "--role", "admin", "--password-stdin", stdin=f"{PASSWORD}\n")
    tokens = product.api.post("/api/tokens", {"username": "admin", "password": PASSWORD}).data
    admin = Player(product.api, tokens["userId"], "admin", "", tokens["accessToken"], tokens["refreshToken"])
    return Load([product.api.new_player() for _ in range(players)], admin)


def move(product: Product, shard: str) -> None:
    assert f"{BOARD} is now in the shard {shard}" in product.verb("boards", "move", BOARD, shard).stdout


def reasons(product: Product) -> dict[str, str]:
    """Of the shards that do not work."""
    shards = product.api.get("/readyz").data["shards"]
    return {name: shard["reason"] for name, shard in shards.items() if not shard["ok"]}


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_board_that_moves_under_load_is_exact_and_so_it_is_when_a_shard_dies(product: Product, blue: Blue) -> None:
    load = everybody(product, 6)
    shard, other = shard_of(product), product.api.new_player()
    with load.running():
        for target in ("blue", "green", "main", "blue"):
            if target != shard:
                time.sleep(1)
                move(product, target)
            shard = target
        assert f"shard: {shard}" in product.verb("boards", "show", BOARD).stdout
        assert "shard" in product.verb("boards", "list").stdout.partition("\n")[0]
        assert "only `main`, `blue`, `green`" in product.verb("boards", "move", BOARD, "red").stderr
        time.sleep(1)
        blue.kill()
        eventually(lambda: reasons(product) == {"blue": "Redis does not answer"}, 60, "who is away is named")
        assert "Redis does not answer" in product.verb("status").stdout
        assert other.score(1).status == 200, "`main` is elsewhere"
        blue.start()
        eventually(lambda: not reasons(product), 60, "everything works again")
        time.sleep(2)
        move(product, "main")
        time.sleep(1)
    assert load.violations == []
    check_books(product, load)


def shard_of(product: Product) -> str:
    [[shard]] = product.query("SELECT shard FROM boards WHERE board_id = :board", board=BOARD)
    return str(shard)


def check_books(product: Product, load: Load) -> None:
    """Every acknowledged entry is in the ledger once, and on the board."""

    def is_balanced() -> bool:
        said = product.verb("balance").stdout
        return "in the outbox: 0" in said and "accounted for" in said and "lost" not in said

    eventually(is_balanced, 90, "every entry accounted for")
    rows = product.query(
        "SELECT user_id, CAST(sum(value) AS bigint) FROM score_entries WHERE board_id = :board GROUP BY user_id", board=BOARD
    )
    assert dict(map(tuple, rows)) == {user_id: score for user_id, score in load.on_board.items() if score}
    listed = load.admin.api.get(f"/api/boards/{BOARD}/scores", **load.admin.authorization).data
    assert {line["userId"]: line["score"] for line in listed} == {
        user_id: score for user_id, score in load.on_board.items() if score
    }
    compared = product.verb("reconcile", "--full", "--dry-run")
    assert compared.returncode == 0, compared.stdout + compared.stderr
