"""POST /api/boards/{board}/scores/{user_id}."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from shared.boards.definition import BoardDefinition
from shared.container import Container
from shared.core.config import Settings
from shared.core.limits import LARGEST
from shared.reconciliation.balance_books import balance_books
from shared.stores.actor import Actor
from shared.stores.redis.connection import connect
from tests.handlers.boards import ADD_ENTRY, WEEKLY, add_entry, define_board
from tests.handlers.conftest import Redeploy
from tests.handlers.events import SOURCE_IP, call
from tests.handlers.players import board_in_agreement, new_player
from tests.support.product import query
from tests.support.waiting import eventually


def test_a_receipt_says_where_the_player_stands_in_every_period(deployed: Container) -> None:
    board_id, ada, bob = define_board(deployed, periods=WEEKLY), new_player(deployed), new_player(deployed)
    assert add_entry(board_id, bob, {"value": 5}).status == 200
    reply = add_entry(board_id, ada, {"value": 3})
    assert reply.status == 200
    assert reply.headers["RateLimit-Policy"] == '"updates";q=100;w=60'
    place = {"season": 1, "score": 3, "rank": 2, "improved": True}
    assert {name: value for name, value in reply.data.items() if name != "requestId"} == {
        "userId": ada.user_id,
        "board": board_id,
        "score": 3,
        "rank": 2,
        "improved": True,
        "periods": [{"period": "all_time", **place}, {"period": "weekly", **place}],
    }
    assert add_entry(board_id, ada, {"value": 3}).data["rank"] == 1


def test_without_the_replicas_that_must_have_it_no_entry_is_acknowledged(
    deployed: Container, redeploy: Redeploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    board_id, ada = define_board(deployed), new_player(deployed)
    monkeypatch.setattr("shared.stores.redis.replicas.WAIT_MS", 100)
    redeploy(REDIS_REPLICAS="1")
    assert add_entry(board_id, ada, {"value": 3}).problem == (503, "leaderboard_unavailable")


def test_the_best_of_a_board_where_less_is_better(deployed: Container) -> None:
    board_id = define_board(deployed, order="ascending", operator="best", secondColumn=True, minValue=1000)
    ada = new_player(deployed)
    first = add_entry(board_id, ada, {"value": 61_250, "second": 2})
    worse = add_entry(board_id, ada, {"value": 61_251, "second": 0})
    better = add_entry(board_id, ada, {"value": 61_250, "second": 1})
    found = [(reply.data["score"], reply.data["second"], reply.data["improved"]) for reply in (first, worse, better)]
    assert found == [(61_250, 2, True), (61_250, 2, False), (61_250, 1, True)]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_parameter"),
        ({"value": 1.0}, "invalid_parameter"),
        ({"value": True}, "invalid_parameter"),
        ({"value": "1"}, "invalid_parameter"),
        ({"value": 0}, "value_out_of_bounds"),
        ({"value": 11}, "value_out_of_bounds"),
        ({"value": 2**53}, "value_out_of_bounds"),
        ({"value": 1, "second": 1}, "invalid_parameter"),
        ({"value": 1, "metadata": ["list"]}, "invalid_parameter"),
        ({"value": 1, "metadata": {"text": "x" * 60}}, "invalid_parameter"),
        ({"value": 1, "metadata": {"text": "\0"}}, "invalid_parameter"),
        ({"value": 1, "metadata": {"\0": 1}}, "invalid_parameter"),
        ({"value": 1, "metadata": {"many digits": [1e308]}}, "invalid_parameter"),
    ],
)
def test_what_a_board_does_not_take_is_refused_with_a_reason(deployed: Container, body: object, code: str) -> None:
    board_id = define_board(deployed, minValue=1, maxValue=10, metadataBytes=50)
    reply = add_entry(board_id, new_player(deployed), body)
    assert reply.problem == (422, code)


def test_a_sum_is_refused_with_the_bound_of_the_board(deployed: Container) -> None:
    board_id, ada = define_board(deployed), new_player(deployed)
    assert add_entry(board_id, ada, {"value": 10}).status == 200
    reply = add_entry(board_id, ada, {"value": LARGEST})
    assert reply.problem == (409, "score_out_of_bounds")
    assert reply.json["detail"] == f"The score would exceed {LARGEST} in size. Nothing was changed."


def test_what_looks_like_an_escape_is_metadata(deployed: Container) -> None:
    board_id = define_board(deployed, metadataBytes=50)
    assert add_entry(board_id, new_player(deployed), {"value": 1, "metadata": {"text": "x\\u0000", "part": 0.25}}).status == 200


def test_the_rules_of_now_count_wherever_they_were_changed(deployed: Container, function_environment: dict[str, str]) -> None:
    """Another process has changed the board."""
    board_id, ada = define_board(deployed, maxValue=10, metadataBytes=50), new_player(deployed)
    assert add_entry(board_id, ada, {"value": 1}).status == 200

    def change(**members: object) -> None:
        other.boards.put(BoardDefinition.parse(board_id, members), Actor("test"))
        other.known_boards.redefined(board_id)

    with closing(Container(Settings.from_environment(function_environment))) as other:
        change(maxValue=1000)
        assert add_entry(board_id, ada, {"value": 500, "metadata": None}).status == 200
        change(maxValue=10)
        assert add_entry(board_id, ada, {"value": 500}).problem == (422, "value_out_of_bounds")
        assert add_entry(board_id, ada, {"value": 1, "metadata": {"a": 1}}).problem == (422, "invalid_parameter")
        change(maxValue=10, metadataBytes=50)
        assert add_entry(board_id, ada, {"value": 1, "metadata": {"a": 1}}).status == 200
        change(write="server")
        assert add_entry(board_id, ada, {"value": 1}).problem == (403, "forbidden")
        change()
        assert add_entry(board_id, ada, {"value": 1}).status == 200


def test_one_whom_a_moderator_moves_meanwhile_enters(deployed: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    board_id, ada = define_board(deployed), new_player(deployed)
    assert add_entry(board_id, ada, {"value": 4}).status == 200
    client: Any = deployed._redis
    keys = deployed._shard.defined(board_id)
    scores = keys.scores("all_time", 1)
    [(member, score)] = client.zrange(scores, 0, -1, withscores=True)
    ask = deployed.hidden_players.on

    def shown_just_now(*arguments: Any) -> Any:
        client.zadd(scores, {member: score})
        return ask(*arguments)

    client.zrem(scores, member)
    monkeypatch.setattr(deployed.hidden_players, "on", shown_just_now)
    reply = add_entry(board_id, ada, {"value": 3})
    assert (reply.status, reply.data["score"]) == (200, 7)


def test_only_the_player_writes_and_only_where_players_may(deployed: Container) -> None:
    board_id, ada, bob = define_board(deployed), new_player(deployed), new_player(deployed)
    of_bob = {"board": board_id, "user_id": bob.user_id}
    stolen = call("add_entry", ADD_ENTRY, path_parameters=of_bob, headers=ada.authorization, body={"value": 1})
    assert stolen.problem == (403, "not_your_score")
    servers = add_entry(define_board(deployed, write="server"), ada, {"value": 1})
    assert servers.problem == (403, "forbidden")
    unknown = add_entry("no-such-board", ada, {"value": 1})
    assert unknown.problem == (404, "unknown_board")
    admin = new_player(deployed, "admin")
    assert add_entry(board_id, admin, {"value": 1}).problem[1] == "not_a_player"


def test_the_limit_is_the_boards_own(deployed: Container) -> None:
    board_id, ada = define_board(deployed, updatesPerMinute=2), new_player(deployed)
    assert [add_entry(board_id, ada, {"value": 1}).status for _ in range(3)] == [200, 200, 429]
    assert ada.score().status == 200


def test_a_new_definition_counts_with_the_next_entry(deployed: Container) -> None:
    board_id, ada = define_board(deployed, maxValue=5), new_player(deployed)
    assert add_entry(board_id, ada, {"value": 6}).status == 422
    add_entry(board_id, ada, {"value": 5})
    periods = [*WEEKLY, {"name": "monthly", "cron": "0 0 1 * *"}]
    deployed.boards.put(BoardDefinition.parse(board_id, {"title": "A board", "periods": periods}), Actor("test"))
    deployed.known_boards.redefined(board_id)
    reply = add_entry(board_id, ada, {"value": 6})
    assert [(place["period"], place["score"]) for place in reply.data["periods"]] == [
        ("all_time", 11),
        ("weekly", 6),
        ("monthly", 6),
    ]


def test_an_idempotency_key_answers_the_first_receipt_again(deployed: Container) -> None:
    board_id, ada = define_board(deployed), new_player(deployed)
    first = add_entry(board_id, ada, {"value": 3}, Idempotency_Key="lap-1")
    again = add_entry(board_id, ada, {"value": 3}, Idempotency_Key="lap-1")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.data == first.data
    assert add_entry(board_id, ada, {"value": 4}, Idempotency_Key="lap-1").problem[1] == "idempotency_key_reused"
    elsewhere = add_entry(define_board(deployed), ada, {"value": 4}, Idempotency_Key="lap-1")
    assert "Idempotency-Replayed" not in elsewhere.headers, "a key is the board's"


def test_entries_reach_the_ledger_whole_and_the_books_balance(redeploy: Redeploy) -> None:
    with board_in_agreement(redeploy) as deployed:
        board_id, ada = define_board(deployed, periods=WEEKLY, metadataBytes=100), new_player(deployed)
        ada.score(2)
        receipts = [add_entry(board_id, ada, {"value": 7, "metadata": {"car": "Ä"}}, Idempotency_Key=f"k-{n}") for n in range(3)]
        ada.score(3)
        url = deployed.settings.database_url
        rows = (
            "SELECT request_id, value, CAST(metadata AS text), source_ip"
            " FROM score_entries JOIN audit_log USING (request_id, user_id)"
        )
        expected = [(reply.data["requestId"], 7, '{"car": "Ä"}', SOURCE_IP) for reply in receipts]

        def recorded() -> list[tuple[Any, ...]]:
            found = query(url, f"{rows} WHERE board_id = :board ORDER BY score_entries.id", board=board_id)
            return [tuple(row) for row in found]

        eventually(lambda: recorded() == expected, 60, "entries and audit rows")
        totals = query(
            url, "SELECT period, season, score FROM season_totals WHERE board_id = :board ORDER BY period", board=board_id
        )
        assert [tuple(row) for row in totals] == [("all_time", 1, 21), ("weekly", 1, 21)]
        eventually(lambda: not deployed.outbox.pending(0, 1), 60, "nothing in the outbox")
        assert deployed.ledger.totals([ada.user_id]) == {ada.user_id: 5}

        # Redis loses the first results; the ledger has them.
        with closing(connect(deployed.settings.redis_url)) as client:
            prefix = deployed.settings.key_prefix
            client.delete(*client.scan_iter(f"{prefix}user:{ada.user_id}:result:*"))
            client.set(f"{prefix}leaderboard:whole", int(deployed.clock.now().timestamp() * 1000))
        again = add_entry(board_id, ada, {"value": 7, "metadata": {"car": "Ä"}}, Idempotency_Key="k-1")
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.data == receipts[1].data
        other = add_entry(board_id, ada, {"value": 7}, Idempotency_Key="k-0")
        assert other.problem[1] == "idempotency_key_reused"
        balance = balance_books(deployed.leaderboard, deployed.ledger, deployed.outbox)
        assert balance is not None
        assert (balance.outbox, balance.in_flight) == (0, [])
