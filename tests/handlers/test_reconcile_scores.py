"""Daily: the ledger against the leaderboard, with a consumer at work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import redis

from shared.container import Container
from shared.core import metrics
from shared.core.errors import ReconciliationRunning, RedisUnavailable
from shared.ledger.events import ScoreAccepted
from shared.reconciliation.rebuild_leaderboard import pages
from shared.reconciliation.reconcile_scores import ReconciliationOptions, reconcile_scores
from tests.handlers.conftest import Redeploy
from tests.handlers.events import invoke, payload
from tests.handlers.players import Player, board_in_agreement, consuming, delivered, give, new_board, new_player
from tests.support.product import query
from tests.support.waiting import eventually

IN_FULL = ReconciliationOptions(full=True)


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
    eventually(lambda: board.ledger.totals(ids) == dict(zip(ids, (5, 10, 15), strict=True)), 60, "all of it in the ledger")
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
    assert all(board["found"] == 0 for board in summary.pop("boards", []))  # those of other tests
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
        entry |= {"missingPoints": 0, "misplaced": False}
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


def test_one_who_goes_on_scoring_is_repaired_exactly(board: Container, players: list[Player], client: redis.Redis) -> None:
    player, accepted, stop = players[0], [0], threading.Event()
    client.zincrby(f"{board.settings.key_prefix}leaderboard", 1000, f"user:{player.user_id}")

    def play() -> None:
        while not stop.is_set() and accepted[0] < 90:
            assert player.score(1).status == 200
            accepted[0] += 1

    with ThreadPoolExecutor(1) as threads:
        playing = threads.submit(play)
        eventually(lambda: accepted[0] > 0, 60, "the player playing")
        summary = invoke("reconcile_scores", {})
        stop.set()
        playing.result(60)
    assert [entry["userId"] for entry in summary["discrepancies"]] == [player.user_id]
    eventually(lambda: board.ledger.totals([player.user_id]) == {player.user_id: 5 + accepted[0]}, 60, "all of it in the ledger")
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
        deployed.leaderboard.rebuild(pages(deployed.reconciliations), deployed.hidden_players.pages_of_main())


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


def test_after_another_redis_no_score_is_told_that_lacks_what_it_never_had(
    board: Container, players: list[Player], client: redis.Redis
) -> None:
    prefix = board.settings.key_prefix
    invoke("rebuild_leaderboard", {})
    client.zincrby(f"{prefix}leaderboard", -5, f"user:{players[2].user_id}")
    client.hset(f"{prefix}leaderboard:numbers", "server", "another")
    board._redis.close()
    assert players[2].score(1).problem == (429, "rate_limited")
    assert scores(board, players) == [5, 10, 10]
    invoke("rebuild_leaderboard", {})
    assert players[2].score(1).data["score"] == 16


def test_a_member_that_was_deleted_is_back_soon_after_its_player_scores(
    board: Container, players: list[Player], client: redis.Redis
) -> None:
    invoke("rebuild_leaderboard", {})
    spoil(board, client, players)
    assert players[1].score(1).problem == (503, "leaderboard_rebuilding")
    assert invoke("rebuild_leaderboard", {})["reconciled"] is True
    assert players[1].score(1).data["score"] == 11
    assert board.board_check.suspects() == set()


def test_what_a_redis_accepted_that_was_cut_off_is_on_the_board_within_the_minute(
    board: Container, players: list[Player]
) -> None:
    """Its message comes when the network is whole again, and the Redis that serves the board by then was compared long ago."""
    assert invoke("rebuild_leaderboard", {})["reconciled"] is True
    assert invoke("rebuild_leaderboard", {})["reconciled"] is False
    late = ScoreAccepted(str(uuid4()), players[0].user_id, 3, 8, datetime.now(UTC), "198.51.100.7", outbox_id="1-0")
    board.publisher.publish_accepted([late])
    eventually(lambda: board.board_check.suspects() == {players[0].user_id}, 60, "the player is suspected")
    assert scores(board, players) == [5, 10, 15]
    assert invoke("rebuild_leaderboard", {})["reconciled"] is True
    assert scores(board, players) == [8, 10, 15]


def test_an_update_that_finds_the_board_empty_wakes_its_rebuild(
    board: Container, players: list[Player], client: redis.Redis
) -> None:
    """Once for however many find it so."""
    with delivered(board, "leaderboard_rebuild_queue") as messages:
        client.delete(f"{board.settings.key_prefix}leaderboard:whole")
        for player in players:
            assert player.score(1).problem == (503, "leaderboard_rebuilding")
        assert len(messages(1)) == 1
    assert invoke("rebuild_leaderboard", payload("mq_rabbitmq"))["rebuilt"] is True
    assert scores(board, players) == [5, 10, 15]


def test_a_ledger_row_that_was_deleted_is_given_back(
    board: Container, players: list[Player], database_url: str, client: redis.Redis
) -> None:
    player = players[0]
    assert invoke("reconcile_scores", {})["found"] == 0, "every number is accounted for"
    delete = "DELETE FROM score_history WHERE user_id = :id"
    query(database_url, delete, id=player.user_id)
    dry = invoke("reconcile_scores", {"dryRun": True})
    expected = {
        "userId": player.user_id,
        "ledgerTotal": 0,
        "boardBefore": 5,
        "boardAfter": 5,
        "missingPoints": 5,
        "misplaced": False,
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
    monkeypatch.setattr("shared.reconciliation.reconcile_scores.SWEPT", 1)
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


def impatient(board: Container, options: ReconciliationOptions = IN_FULL) -> dict[str, Any]:
    """A run that waits shortly for the ledger."""
    return reconcile_scores(replace(board.reconciliation, pipeline=replace(board.pipeline, catch_up_seconds=0.3)), options)


def test_a_ledger_that_does_not_catch_up_takes_nothing_from_anybody(deployed: Container, redeploy: Redeploy) -> None:
    board = new_board(redeploy)
    player, poorer = new_player(board), new_player(board)
    player.score(4)
    give(board, {"invented": 7, poorer.user_id: -3})
    summary = impatient(board)
    assert (summary["found"], summary["repaired"], summary["leftForTheNextRun"]) == (3, 1, 2)
    assert summary["leftBecause"].startswith("accepted updates are not accounted for yet")
    assert board.leaderboard.scores(["invented"]) == {"invented": 7}
    assert scores(board, [player, poorer]) == [4, 0], "what was too low is raised all the same"
    with consuming(board):
        summary = invoke("reconcile_scores", {"full": True})
    assert [entry["userId"] for entry in summary["discrepancies"]] == ["invented"]
    assert (summary["repaired"], summary["leftForTheNextRun"], "leftBecause" in summary) == (1, 0, False)
    assert scores(board, [player]) == [4]


def test_points_are_not_lowered_while_an_accepted_update_is_missing(
    deployed: Container, redeploy: Redeploy, client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    """Redis lost its entry, the broker its message: the board alone has the points."""
    board = new_board(redeploy)
    player, other, before = new_player(board), new_player(board), metrics.lowerings_withheld.read()
    with delivered(board, "score_history_queue") as messages:
        player.score(5)
        assert len(messages(1)) == 1
    client.delete(f"{board.settings.key_prefix}outbox")
    with consuming(board):
        for _ in range(2):
            other.score(1)
        eventually(lambda: board.ledger.totals([other.user_id]) == {other.user_id: 2}, 60, "what came later in the ledger")
        for run in range(1, 3):
            summary = impatient(board)
            assert [entry["difference"] for entry in summary["discrepancies"]] == [-5]
            assert (summary["repaired"], summary["leftForTheNextRun"]) == (0, 1)
            assert scores(board, [player, other]) == [5, 2]
            assert metrics.lowerings_withheld.read() == before + run, "an alarm"
    assert '"points stay on the board that the ledger does not have"' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "reason"),
    [({"RECONCILIATION_MAX_PLAYERS": "1"}, "1076 points of 2 players"), ({"RECONCILIATION_MAX_POINTS": "1075"}, "1076 points")],
)
def test_more_than_the_bounds_is_lowered_only_when_that_is_wanted(
    deployed: Container, redeploy: Redeploy, client: redis.Redis, setting: dict[str, str], reason: str
) -> None:
    redeploy(**setting)
    with board_in_agreement(redeploy) as board:
        players = [new_player(board) for _ in range(2)]
        spoil(board, client, players)
        summary = invoke("reconcile_scores", {})
        assert (summary["found"], summary["repaired"], summary["leftForTheNextRun"]) == (3, 1, 2)
        assert reason in summary["leftBecause"]
        assert "beyondBounds" in summary["leftBecause"]
        assert scores(board, players) == [999, 0]
        summary = invoke("reconcile_scores", {"beyondBounds": True, "full": True})  # there may be more than one run looks at
        assert (summary["found"], summary["repaired"], summary["leftForTheNextRun"]) == (2, 2, 0)
        assert scores(board, players) == [0, 0]


@pytest.fixture
def lively(redeploy: Redeploy) -> Iterator[Container]:
    """A board in agreement whose players may score as often as they can."""
    redeploy(RATE_LIMIT_REQUESTS="100000")
    with board_in_agreement(redeploy) as made:
        yield made


@contextmanager
def playing(players: list[Player]) -> Iterator[dict[str, int]]:
    """All of them score all the time; what was acknowledged, by player."""
    stop, acknowledged = threading.Event(), {player.user_id: 0 for player in players}

    def play(player: Player) -> None:
        while not stop.is_set():
            assert player.score(1).status == 200
            acknowledged[player.user_id] += 1

    with ThreadPoolExecutor(len(players)) as threads:
        working = [threads.submit(play, player) for player in players]
        try:
            eventually(lambda: min(acknowledged.values()) > 0, 60, "everybody playing")
            yield acknowledged
        finally:
            stop.set()
            for one in working:
                one.result(60)


@pytest.mark.usefixtures("deployed")
def test_a_healthy_board_raises_no_false_alarm_in_twenty_runs(lively: Container) -> None:
    players = [new_player(lively) for _ in range(3)]
    with playing(players) as acknowledged:
        runs = [invoke("reconcile_scores", {"full": number % 2 == 0}) for number in range(20)]
    assert [(run["found"], run["leftForTheNextRun"]) for run in runs] == [(0, 0)] * 20
    assert scores(lively, players) == [acknowledged[player.user_id] for player in players]


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize("by", [-1, 1])
def test_a_single_point_is_found_in_one_run_in_a_player_who_scores_all_the_time(
    lively: Container, client: redis.Redis, by: int
) -> None:
    player = new_player(lively)
    with playing([player]) as acknowledged:
        client.zincrby(f"{lively.settings.key_prefix}leaderboard", by, f"user:{player.user_id}")
        summary = invoke("reconcile_scores", {})
    assert [(entry["userId"], entry["difference"]) for entry in summary["discrepancies"]] == [(player.user_id, -by)]
    assert (summary["repaired"], summary["leftForTheNextRun"]) == (1, 0)
    assert scores(lively, [player]) == [acknowledged[player.user_id]]
    assert invoke("reconcile_scores", {})["found"] == 0


def test_a_redis_that_is_away_is_told_so_that_the_schedule_tries_again(deployed: Container, redeploy: Redeploy) -> None:
    redeploy(REDIS_URL="redis://127.0.0.1:1/0")
    with pytest.raises(RedisUnavailable):
        invoke("reconcile_scores", {})
