"""The ledger against the leaderboard of a product that is played all the while."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from shared.container import Container
from shared.core.config import Settings
from shared.reconciliation.reconcile_scores import Reconciliation, ReconciliationOptions, reconcile_scores
from tests.support.api import Player
from tests.support.product import ROOT, Product
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("reconciliation")
PLAYERS, RUNS = 12, 20


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    """A board that this module spoils."""
    with Product(RATE_LIMIT_REQUESTS="100000") as running:
        yield running


@pytest.fixture
def stores(product: Product) -> Iterator[Reconciliation]:
    deployed = Container(Settings.from_environment(product.runtime["function_env"]))
    yield deployed.reconciliation
    deployed.close()


@contextmanager
def played(players: list[Player]) -> Iterator[dict[str, int]]:
    """Everybody scores as fast as the answers come; gives what was acknowledged, by player."""
    acknowledged = {player.user_id: 0 for player in players}
    stop = threading.Event()

    def play(player: Player) -> None:
        while not stop.is_set():
            acknowledged[player.user_id] += player.score(1).data["increment"]

    with ThreadPoolExecutor(len(players)) as threads:
        playing = [threads.submit(play, player) for player in players]
        try:
            eventually(lambda: min(acknowledged.values()) > 0, 60, "everybody playing")
            yield acknowledged
        finally:
            stop.set()
            for one in playing:
                one.result(60)


def agreed(product: Product, acknowledged: dict[str, int]) -> None:
    """What was acknowledged, the board and the ledger are the same, for every player."""
    board = product.redis()
    rows = "SELECT user_id, sum(increment) FROM score_history GROUP BY user_id"

    def ledger() -> dict[str, int]:
        return {user_id: int(total) for user_id, total in product.query(rows) if user_id in acknowledged}

    eventually(lambda: ledger() == acknowledged, 60, "all of it in the ledger")
    assert {user_id: int(board.zscore("leaderboard", f"user:{user_id}") or 0) for user_id in acknowledged} == acknowledged
    board.close()


def test_a_healthy_product_under_load_shows_no_discrepancy(product: Product, stores: Reconciliation) -> None:
    players = [product.api.new_player() for _ in range(PLAYERS)]
    with played(players) as acknowledged:
        runs = [reconcile_scores(stores, ReconciliationOptions(full=number % 2 == 0)) for number in range(RUNS)]
    assert [run["discrepancies"] for run in runs] == [[]] * RUNS
    assert min(run["checked"] for run in runs) >= PLAYERS
    agreed(product, acknowledged)


def test_a_single_point_is_found_in_one_run_in_a_player_with_a_hundred_updates_a_second(
    product: Product, stores: Reconciliation
) -> None:
    """As many as the machine allows, where it does not allow a hundred."""
    player, stop = product.api.new_player(), threading.Event()
    acknowledged = [0] * 8

    def play(place: int) -> None:
        while not stop.is_set():
            acknowledged[place] += player.score(1).data["increment"]
            stop.wait(0.08)

    with product.redis() as board, ThreadPoolExecutor(8) as threads:
        playing = [threads.submit(play, place) for place in range(8)]
        try:
            eventually(lambda: min(acknowledged) > 0, 60, "everybody playing")
            board.zincrby("leaderboard", -1, f"user:{player.user_id}")
            found, again = (reconcile_scores(stores, ReconciliationOptions()) for _ in range(2))
        finally:
            stop.set()
            for one in playing:
                one.result(60)
    assert [(entry["userId"], entry["difference"]) for entry in found["discrepancies"]] == [(player.user_id, 1)]
    assert (found["repaired"], found["leftForTheNextRun"], again["found"]) == (1, 0, 0)
    agreed(product, {player.user_id: sum(acknowledged)})


def test_what_is_spoiled_while_everybody_plays_is_repaired_to_the_point(product: Product, stores: Reconciliation) -> None:
    players = [product.api.new_player() for _ in range(PLAYERS)]
    members = [f"user:{player.user_id}" for player in players]
    with product.redis() as board:
        with played(players[:4]) as acknowledged:
            board.zincrby("leaderboard", 1000, members[0])
            board.zincrby("leaderboard", -3, members[1])
            board.zadd("leaderboard", {members[4]: 77, "user:nobody": 9, "not even a member": 3})
            board.zrem("leaderboard", members[5])
            found = {entry["userId"] for entry in reconcile_scores(stores, ReconciliationOptions())["discrepancies"]}
        spoiled = {players[number].user_id for number in (0, 1, 4, 5)} | {"nobody", "no member of ours: not even a member"}
        assert found == spoiled
        assert board.zmscore("leaderboard", [members[4], members[5], "user:nobody", "not even a member"]) == [0, 0, None, None]
    agreed(product, acknowledged)
    assert reconcile_scores(stores, ReconciliationOptions(dry_run=True, full=True))["found"] == 0


def test_the_verb_finds_repairs_counts_and_says_so(product: Product) -> None:
    player = product.api.new_player()
    player.score(5)
    eventually(
        lambda: product.query("SELECT 1 FROM score_history WHERE user_id = :id", id=player.user_id), 60, "it in the ledger"
    )
    with product.redis() as board:
        board.zadd("leaderboard", {f"user:{player.user_id}": 999})

    def verb(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "local_runtime", "reconcile", "--data-dir", str(product.data_dir), *options]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)

    dry, repaired, after = verb("--dry-run"), verb(), verb()
    assert (dry.returncode, repaired.returncode, after.returncode) == (3, 3, 0)
    assert "1 discrepancy found" in dry.stdout
    assert f"{player.user_id}\t5\t999\t999\t0\t-994" in repaired.stdout
    assert "every player is in order" in after.stdout
    counted = product.api.get("/metrics").body.decode()
    assert 'scoreboard_reconciliation_discrepancies_total{repaired="true"}' in counted
    assert player.score(1).data["score"] == 6
