"""POST /api/admin/reconciliations."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from shared.container import Container
from tests.handlers.conftest import Redeploy
from tests.handlers.events import HandlerReply, call
from tests.handlers.players import Player, board_in_agreement, give, new_player
from tests.support.product import query


@pytest.fixture
def board(deployed: Container, redeploy: Redeploy) -> Iterator[Container]:
    with board_in_agreement(redeploy) as made:
        yield made


def start(caller: Player, body: object, **headers: str) -> HandlerReply:
    sent = {**caller.authorization, **headers}
    return call("start_reconciliation", "POST /api/admin/reconciliations", headers=sent, body=body)


def test_an_admin_finds_what_is_wrong_and_repairs_it(board: Container, database_url: str) -> None:
    admin, player = new_player(board, "admin"), new_player(board)
    give(board, {player.user_id: 7})
    dry = start(admin, {"dryRun": True, "full": True})
    assert dry.status == 201
    assert [found["userId"] for found in dry.data["discrepancies"]] == [player.user_id]
    assert board.leaderboard.scores([player.user_id]) == {player.user_id: 7}
    assert start(admin, {"full": True}).data["found"] == 1
    assert board.leaderboard.scores([player.user_id]) == {player.user_id: 0}
    assert start(admin, {}).data["found"] == 0
    rows = query(
        database_url,
        "SELECT detail FROM audit_log WHERE action = 'reconciliation_started' AND actor = :id ORDER BY id",
        id=admin.user_id,
    )
    assert [row[0] for row in rows] == [
        {"dryRun": True, "full": True, "beyondBounds": False},
        {"dryRun": False, "full": True, "beyondBounds": False},
        {"dryRun": False, "full": False, "beyondBounds": False},
    ]


def test_under_one_key_there_is_one_run(board: Container, database_url: str) -> None:
    admin, key = new_player(board, "admin"), {"Idempotency-Key": f"key-{secrets.token_hex(8)}"}
    first = start(admin, {"dryRun": True}, **key)
    again = start(admin, {"dryRun": True}, **key)
    assert (again.status, again.json, again.headers["Idempotency-Replayed"]) == (201, first.json, "true")
    assert start(admin, {"dryRun": False}, **key).problem == (422, "idempotency_key_reused")
    rows = query(
        database_url, "SELECT count(*) FROM audit_log WHERE action = 'reconciliation_started' AND actor = :id", id=admin.user_id
    )
    assert rows == [[1]]


def test_runs_are_listed_with_what_they_found(board: Container) -> None:
    admin, player = new_player(board, "admin"), new_player(board)
    give(board, {player.user_id: 7})
    made = [start(admin, {"dryRun": True, "full": True}).data["runId"], start(admin, {"full": True}).data["runId"]]
    made.append(start(admin, {}).data["runId"])
    first = runs(admin, limit="2")
    assert [run["runId"] for run in first.data] == [made[2], made[1]]
    assert [(run["dryRun"], run["full"], run["found"]) for run in first.data] == [(False, False, 0), (False, True, 1)]
    assert first.data[1]["discrepancies"] == [
        {
            "userId": player.user_id,
            "ledgerTotal": 0,
            "boardBefore": 7,
            "boardAfter": 7,
            "missingPoints": 0,
            "difference": -7,
            "misplaced": False,
        }
    ]
    assert first.data[1]["startedAt"] <= first.data[1]["finishedAt"]
    assert first.json["usernames"] == {player.user_id: player.username}
    (dry,) = runs(admin, limit="1", cursor=first.json["nextCursor"]).data
    assert (dry["runId"], dry["dryRun"]) == (made[0], True)


def runs(caller: Player, **query_string: str) -> HandlerReply:
    return call("list_reconciliations", "GET /api/admin/reconciliations", headers=caller.authorization, query=query_string)


@pytest.mark.parametrize("body", [{"dryRun": "yes"}, {"full": 1}, {"dryRun": None}])
def test_nonsense_is_told(board: Container, body: object) -> None:
    assert start(new_player(board, "admin"), body).problem == (422, "invalid_parameter")


def test_one_at_a_time(board: Container) -> None:
    admin = new_player(board, "admin")
    with board.reconciliations.alone():
        assert start(admin, {}).problem == (503, "reconciliation_running")
    assert start(admin, {"dryRun": True}).status == 201
