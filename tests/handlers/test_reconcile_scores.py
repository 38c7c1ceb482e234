"""Daily: the ledger against the leaderboard, with a consumer at work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import redis

from shared.errors import LedgerBehind, ReconciliationRunning, RedisUnavailable
from shared.services.catch_up import Pipeline
from shared.services.rebuild_leaderboard import pages
from shared.services.reconcile_scores import Reconciliation, reconcile_scores
from shared.wiring import Container
from tests.handlers.conftest import Redeploy
from tests.handlers.events import invoke, payload
from tests.handlers.players import Player, board_in_agreement, delivered, give, new_player
from tests.support.product import query
from tests.support.waiting import eventually


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as made:
        yield made


@pytest.fixture
def board(deployed: Container, redeploy: Redeploy) -> Iterator[Container]:
    with board_in_agreement(redeploy) as made:
        yield made


@pytest.fixture
def players(board: Container) -> list[Player]:
    """Three players with 5, 10 and 15 points in the ledger, too."""
    made = [new_player(board) for _ in range(3)]
    for place, player in enumerate(made, 1):
        for _ in range(place):
            player.score(5)
    ids = [player.user_id for player in made]
    eventually(lambda: board.ledger.totals(ids) == dict(zip(ids, (5, 10, 15), strict=True)), 20, "all of it in the ledger")
    return made


def scores(board: Container, players: list[Player]) -> list[int | None]:
    found = board.leaderboard.scores([player.user_id for player in players])
    return [found.get(player.user_id) for player in players]


def spoil(board: Container, client: redis.Redis, players: list[Player]) -> str:
    """One score set by hand, one member deleted, one invented; answers the invented user id."""
    key, invented = f"{board.settings.key_prefix}leaderboard", str(uuid4())
    client.zadd(key, {f"user:{players[0].user_id}": 999})
    client.zrem(key, f"user:{players[1].user_id}")
    client.zadd(key, {f"user:{invented}": 77})
    return invented


def test_a_board_in_order_is_left_alone(board: Container, players: list[Player], database_url: str) -> None:
    summary = invoke("reconcile_scores", {})
    run_id = summary.pop("runId")
    assert summary.pop("checked") >= 3
    assert summary == {"dryRun": False, "found": 0, "leftForTheNextRun": 0, "repaired": 0, "rebuilt": False, "discrepancies": []}
    assert scores(board, players) == [5, 10, 15]
    assert query(database_url, "SELECT dry_run, discrepancies FROM reconciliation_runs WHERE id = :id", id=run_id) == [[False, 0]]


def test_what_was_spoiled_is_found_and_repaired(
    board: Container, players: list[Player], client: redis.Redis, database_url: str
) -> None:
    invented = spoil(board, client, players)
    summary = invoke("reconcile_scores", {"dryRun": False})
    assert (summary["found"], summary["repaired"], summary["dryRun"]) == (3, 3, False)
    expected: list[dict[str, Any]] = [
        {"userId": players[0].user_id, "ledgerTotal": 5, "boardBefore": 999, "boardAfter": 999, "difference": -994},
        {"userId": players[1].user_id, "ledgerTotal": 10, "boardBefore": None, "boardAfter": None, "difference": 10},
        {"userId": invented, "ledgerTotal": None, "boardBefore": 77, "boardAfter": 77, "difference": -77},
    ]
    for entry in expected:
        entry["missingPoints"] = 0
    assert summary["discrepancies"] == sorted(expected, key=lambda entry: str(entry["userId"]))
    assert scores(board, players) == [5, 10, 15]
    assert board.leaderboard.scores([invented]) == {}
    repairs = query(
        database_url,
        "SELECT detail FROM audit_log WHERE action = 'score_repaired' AND actor = 'reconcile_scores' AND user_id = :id",
        id=players[0].user_id,
    )
    assert [(repair["difference"], repair["ledgerTotal"]) for [repair] in repairs] == [(-994, 5)]
    assert invoke("reconcile_scores", {})["found"] == 0
    assert players[1].score(1).data["score"] == 11


def test_a_dry_run_changes_nothing(board: Container, players: list[Player], client: redis.Redis, database_url: str) -> None:
    invented = spoil(board, client, players)
    for _ in range(2):
        summary = invoke("reconcile_scores", {"dryRun": True})
        assert (summary["found"], summary["repaired"], summary["dryRun"]) == (3, 0, True)
    assert scores(board, players) == [999, None, 15]
    assert board.leaderboard.scores([invented]) == {invented: 77}
    rows = query(database_url, "SELECT dry_run, discrepancies FROM reconciliation_runs WHERE id = :id", id=summary["runId"])
    assert rows == [[True, 3]]
    assert query(database_url, "SELECT 1 FROM audit_log WHERE user_id = :id AND action = 'score_repaired'", id=invented) == []


def test_an_admin_on_the_board_is_taken_off_the_points(board: Container) -> None:
    admin = new_player(board, "admin")
    give(board, {admin.user_id: 50})
    assert [entry["userId"] for entry in invoke("reconcile_scores", {})["discrepancies"]] == [admin.user_id]
    assert board.leaderboard.scores([admin.user_id]) == {}


def test_players_who_go_on_scoring_are_never_found_in_disorder(board: Container, players: list[Player]) -> None:
    stop, accepted = threading.Event(), [0, 0, 0]

    def play(place: int) -> None:
        while not stop.is_set() and accepted[place] < 90:
            reply = players[place].score(1)
            assert reply.status == 200
            accepted[place] += 1

    with ThreadPoolExecutor(3) as threads:
        playing = [threads.submit(play, place) for place in range(3)]
        eventually(lambda: min(accepted) > 0, 10, "everybody playing")
        found = [invoke("reconcile_scores", {})["found"] for _ in range(4)]
        stop.set()
        for one in playing:
            one.result(20)
    assert found == [0, 0, 0, 0]
    assert scores(board, players) == [5 + accepted[0], 10 + accepted[1], 15 + accepted[2]]


def test_one_who_goes_on_scoring_is_repaired_exactly(board: Container, players: list[Player], client: redis.Redis) -> None:
    player, accepted, stop = players[0], [0], threading.Event()
    client.zincrby(f"{board.settings.key_prefix}leaderboard", 1000, f"user:{player.user_id}")

    def play() -> None:
        while not stop.is_set() and accepted[0] < 90:
            assert player.score(1).status == 200
            accepted[0] += 1

    with ThreadPoolExecutor(1) as threads:
        playing = threads.submit(play)
        eventually(lambda: accepted[0] > 0, 10, "the player playing")
        summary = invoke("reconcile_scores", {})
        stop.set()
        playing.result(20)
    assert [entry["userId"] for entry in summary["discrepancies"]] == [player.user_id]
    eventually(lambda: board.ledger.totals([player.user_id]) == {player.user_id: 5 + accepted[0]}, 20, "all of it in the ledger")
    assert scores(board, [player]) == [5 + accepted[0]]


def test_an_empty_redis_is_filled_again_from_the_ledger(
    board: Container, players: list[Player], client: redis.Redis, deployed: Container
) -> None:
    try:
        client.flushall()
        assert not board.leaderboard.is_whole()
        assert players[0].score().problem == (503, "leaderboard_rebuilding")
        summary = invoke("rebuild_leaderboard", {})
        assert summary["rebuilt"] is True
        assert summary["players"] >= 3
        assert scores(board, players) == [5, 10, 15]
        assert players[0].score(1).data["score"] == 6
    finally:
        deployed.leaderboard.rebuild(pages(deployed.reconciliations))


def test_a_board_that_lost_its_mark_is_rebuilt_by_the_daily_run_too(
    board: Container, players: list[Player], client: redis.Redis
) -> None:
    client.delete(f"{board.settings.key_prefix}leaderboard:whole", f"{board.settings.key_prefix}leaderboard")
    assert invoke("reconcile_scores", {})["rebuilt"] is True
    assert scores(board, players) == [5, 10, 15]


def test_a_board_in_order_is_not_rebuilt(board: Container, players: list[Player], client: redis.Redis) -> None:
    invoke("rebuild_leaderboard", {})
    spoil(board, client, players)
    assert invoke("rebuild_leaderboard", {}) == {"rebuilt": False, "players": 0, "reconciled": False}
    assert scores(board, players) == [999, None, 15]


def test_a_redis_that_died_and_lost_its_last_writes_is_healed(
    board: Container, players: list[Player], client: redis.Redis
) -> None:
    prefix = board.settings.key_prefix
    assert invoke("rebuild_leaderboard", {}) == {"rebuilt": False, "players": 0, "reconciled": True}
    assert invoke("rebuild_leaderboard", {})["reconciled"] is False
    client.zincrby(f"{prefix}leaderboard", -5, f"user:{players[2].user_id}")
    client.set(f"{prefix}leaderboard:server", "the run before")
    assert invoke("rebuild_leaderboard", {})["reconciled"] is True
    assert scores(board, players) == [5, 10, 15]
    assert invoke("rebuild_leaderboard", {})["reconciled"] is False


def test_a_member_that_was_deleted_is_back_soon_after_its_player_scores(
    board: Container, players: list[Player], client: redis.Redis
) -> None:
    invoke("rebuild_leaderboard", {})
    spoil(board, client, players)
    assert players[1].score(1).problem == (503, "leaderboard_rebuilding")
    assert invoke("rebuild_leaderboard", {})["reconciled"] is True
    assert players[1].score(1).data["score"] == 11
    assert board.board_check.suspects() == set()


def test_an_update_that_finds_the_board_empty_wakes_its_rebuild(
    board: Container, players: list[Player], client: redis.Redis
) -> None:
    """Once for however many find it so."""
    with delivered(board, "leaderboard_rebuild_queue") as messages:
        client.delete(f"{board.settings.key_prefix}leaderboard:whole")
        for player in players:
            assert player.score(1).problem == (503, "leaderboard_rebuilding")
        assert len(messages()) == 1
    assert invoke("rebuild_leaderboard", payload("mq_rabbitmq"))["rebuilt"] is True
    assert scores(board, players) == [5, 10, 15]


def test_a_ledger_row_that_was_deleted_is_given_back(
    board: Container, players: list[Player], database_url: str, client: redis.Redis
) -> None:
    player = players[0]
    delete = "DELETE FROM score_history WHERE user_id = :id"
    query(database_url, delete, id=player.user_id)
    dry = invoke("reconcile_scores", {"dryRun": True})
    expected = {
        "userId": player.user_id,
        "ledgerTotal": 0,
        "boardBefore": 5,
        "boardAfter": 5,
        "missingPoints": 5,
        "difference": 0,
    }
    assert dry["discrepancies"] == [expected]
    assert board.ledger.totals([player.user_id]) == {player.user_id: 0}
    assert invoke("reconcile_scores", {})["discrepancies"] == [expected]
    assert board.ledger.totals([player.user_id]) == {player.user_id: 5}
    assert scores(board, players) == [5, 10, 15]
    assert invoke("reconcile_scores", {})["found"] == 0


def test_two_runs_at_once_do_not_repair_twice(board: Container, players: list[Player], client: redis.Redis) -> None:
    spoil(board, client, players)
    with ThreadPoolExecutor(3) as threads:
        runs = [threads.submit(invoke, "reconcile_scores", {}) for _ in range(3)]
    refused = [run.exception() for run in runs if run.exception() is not None]
    assert len(refused) < 3
    assert all(isinstance(error, ReconciliationRunning) for error in refused)
    assert scores(board, players) == [5, 10, 15]


def test_a_large_board_is_compared_in_several_runs_and_wholly_if_wanted(
    board: Container, players: list[Player], client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.services.reconcile_scores.SWEPT", 1)
    others = [new_player(board) for _ in range(4)]
    for _ in range(2):
        invoke("reconcile_scores", {"full": True})  # now nobody's total has changed lately
    key = f"{board.settings.key_prefix}leaderboard"
    client.zrem(key, *(f"user:{player.user_id}" for player in others))
    found: set[str] = set()
    for _ in range(100):
        found.update(entry["userId"] for entry in invoke("reconcile_scores", {"dryRun": False})["discrepancies"])
        if found:
            break
    assert found < {player.user_id for player in others}, "a part at a time"
    whole = {entry["userId"] for entry in invoke("reconcile_scores", {"full": True})["discrepancies"]}
    assert whole | found == {player.user_id for player in others}


def test_a_ledger_that_does_not_catch_up_changes_nothing(deployed: Container, redeploy: Redeploy) -> None:
    board = redeploy(KEY_PREFIX=f"{{{uuid4()}}}:")
    board.leaderboard.rebuild([])
    give(board, {"invented": 7})
    pipeline = Pipeline(board.ledger, board.outbox, board.publisher, board.clock, 0.3)
    stores = Reconciliation(board.leaderboard, board.board_check, board.reconciliations, pipeline)
    with pytest.raises(LedgerBehind):
        reconcile_scores(stores, dry_run=False)
    assert board.leaderboard.scores(["invented"]) == {"invented": 7}


def test_a_redis_that_is_away_is_told_so_that_the_schedule_tries_again(deployed: Container, redeploy: Redeploy) -> None:
    redeploy(REDIS_URL="redis://127.0.0.1:1/0")
    with pytest.raises(RedisUnavailable):
        invoke("reconcile_scores", {})
