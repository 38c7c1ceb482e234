"""What an update asks of the stores is counted by the stores themselves."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from shared.container import Container
from tests.handlers.boards import add_entry, define_board
from tests.handlers.commands import commands, open_connections
from tests.handlers.events import call
from tests.handlers.players import Player, consuming, new_player
from tests.support.waiting import eventually

UPDATES = 40


@pytest.fixture
def counted(deployed: Container, redis_url: str) -> Any:
    open_connections(deployed)
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def update(player: Player) -> None:
    reply = call(
        "update_score",
        "POST /api/score/{user_id}",
        path_parameters={"user_id": player.user_id},
        body=json.dumps({"increment": 1}),
        headers={"content-type": "application/json", **player.authorization},
    )
    assert reply.status == 200


def test_an_update_is_one_script_and_its_share_of_a_note_that_it_is_published(deployed: Container, counted: Any) -> None:
    player = new_player(deployed)
    update(player)
    counted.config_resetstat()
    for _ in range(UPDATES):
        update(player)
    found = commands(counted)
    assert (found["evalsha"], found["eval"], found["multi"], found["xdel"]) == (UPDATES, 0, 0, 0)
    assert found["hset"] < UPDATES


def test_updates_are_settled_together_by_the_batch_that_records_them(deployed: Container, counted: Any) -> None:
    players = [new_player(deployed) for _ in range(8)]
    for player in players:
        update(player)
    counted.delete("outbox")
    counted.config_resetstat()
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(update, players * 20))
    found = commands(counted)
    greetings = counted.info("stats")["total_connections_received"]  # a script each
    assert (found["evalsha"] - greetings, found["xdel"]) == (len(players) * 20, 0)
    assert counted.xlen("outbox") == len(players) * 20
    with consuming(deployed):
        eventually(lambda: counted.xlen("outbox") == 0, 60, "the outbox empty")
    assert commands(counted)["xdel"] < len(players) * 20


def test_a_known_player_asks_nothing_of_postgresql(deployed: Container) -> None:
    player = new_player(deployed)
    update(player)
    pool = deployed._pool
    assert pool._idle, "the player was looked up in PostgreSQL before"
    pool.close()
    for _ in range(UPDATES):
        update(player)
    assert not pool._idle, "an update opened a connection to PostgreSQL"


def test_a_board_is_read_in_the_round_trip_in_which_its_reader_is_checked(deployed: Container, counted: Any) -> None:
    player, board_id = new_player(deployed), define_board(deployed)
    add_entry(board_id, player, {"value": 1})
    for route, function, more in (
        ("GET /api/boards/{board}/scores", "get_board_scores", {}),
        ("GET /api/boards/{board}/scores/{user_id}", "get_board_place", {}),
        ("POST /api/boards/{board}/scores/query", "query_board_scores", {"body": {"userIds": [player.user_id]}}),
    ):
        path = {"board": board_id, "user_id": player.user_id}

        def read() -> None:
            assert call(function, route, path_parameters=path, headers=player.authorization, **more).status == 200  # noqa: B023

        read()
        counted.config_resetstat()
        read()
        found = commands(counted)
        assert (found["evalsha"], found["eval"]) == (2, 0), "access and board, in one write"
