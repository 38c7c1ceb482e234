"""GET /api/boards/{board}/scores/{user_id}."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from shared.container import Container
from tests.handlers.board_rows import RowBoard, Standing
from tests.handlers.conftest import Redeploy
from tests.handlers.events import HandlerReply, call
from tests.handlers.players import Player, give, new_player

PERIODS = [{"name": "all_time"}, {"name": "week", "cron": "0 0 * * 1"}]


def get(board: str, user_id: str, reader: Player | None, **wanted: Any) -> HandlerReply:
    return call(
        "get_board_place",
        "GET /api/boards/{board}/scores/{user_id}",
        path_parameters={"board": board, "user_id": user_id},
        query={name: str(value) for name, value in wanted.items()},
        headers={} if reader is None else reader.authorization,
    )


@pytest.fixture
def players(deployed: Container) -> list[Player]:
    return [new_player(deployed) for _ in range(7)]


@pytest.fixture
def board(deployed: Container, players: list[Player]) -> RowBoard:
    made = RowBoard(deployed, periods=PERIODS, secondColumn=True)
    made.put(*(Standing(player.user_id, 70 - 10 * place, place) for place, player in enumerate(players)))
    made.put(Standing(players[5].user_id, 9), Standing(players[3].user_id, 8), period="week")
    return made


def test_a_player_is_shown_in_every_period_with_neighbours(board: RowBoard, players: list[Player]) -> None:
    own = players[3]
    data = get(board.board_id, own.user_id, players[0]).data
    all_time, week = data.pop("places")
    assert data == {"userId": own.user_id, "username": own.username, "displayName": own.username}
    others = all_time.pop("neighbours")
    assert all_time == {"period": "all_time", "season": 1, "rank": 4, "score": 40, "second": 3}
    assert [(row["userId"], row["rank"], row["second"]) for row in others] == [
        (players[n].user_id, n + 1, n) for n in (1, 2, 4, 5)
    ]
    assert [(row["userId"], row["rank"]) for row in week["neighbours"]] == [(players[5].user_id, 1)]
    assert (week["period"], week["rank"], week["score"]) == ("week", 2, 8)


@pytest.mark.parametrize(("neighbours", "ranks"), [(0, []), (1, [2]), (3, [2, 3, 4])])
def test_the_first_has_neighbours_on_one_side(board: RowBoard, players: list[Player], neighbours: int, ranks: list[int]) -> None:
    [place] = get(board.board_id, players[0].user_id, players[6], neighbours=neighbours).data["places"]
    assert (place["rank"], [row["rank"] for row in place["neighbours"]]) == (1, ranks)


def test_who_has_not_scored_yet_has_no_places(board: RowBoard, deployed: Container) -> None:
    newcomer = new_player(deployed)
    expected = {"userId": newcomer.user_id, "username": newcomer.username, "displayName": newcomer.username, "places": []}
    assert get(board.board_id, newcomer.user_id, newcomer).data == expected


def test_who_cannot_play_is_not_found(board: RowBoard, deployed: Container, players: list[Player]) -> None:
    for user_id in (str(uuid4()), new_player(deployed, "admin").user_id, new_player(deployed, disabled=True).user_id):
        assert get(board.board_id, user_id, players[0]).problem == (404, "unknown_user")
    assert get("never-was", players[0].user_id, players[0]).problem == (404, "unknown_board")


def test_an_ended_season_is_no_place(board: RowBoard, players: list[Player]) -> None:
    board.end("week")
    assert [place["period"] for place in get(board.board_id, players[3].user_id, players[0]).data["places"]] == ["all_time"]


@pytest.mark.parametrize("neighbours", ["-1", "51", "two", ""])
def test_another_number_of_neighbours_is_refused(board: RowBoard, players: list[Player], neighbours: str) -> None:
    assert get(board.board_id, players[0].user_id, players[0], neighbours=neighbours).problem == (422, "invalid_parameter")


def test_a_token_is_needed_unless_the_board_is_public(board: RowBoard, players: list[Player]) -> None:
    assert get(board.board_id, players[0].user_id, None).problem == (401, "missing_token")
    board.define(periods=PERIODS, secondColumn=True, public=True)
    assert get(board.board_id, players[0].user_id, None).data["places"][0]["rank"] == 1


def test_main_is_read_in_the_same_way(players: list[Player], deployed: Container) -> None:
    best = max([0, *(position.score for position in deployed.leaderboard.top(1).positions)])
    give(deployed, {player.user_id: best + 70 - 10 * place for place, player in enumerate(players)})
    [place] = get("main", players[1].user_id, players[0], neighbours=1).data["places"]
    assert (place["period"], place["season"], place["rank"], "second" in place) == ("all_time", 1, 2, False)
    assert [row["userId"] for row in place["neighbours"]] == [players[0].user_id, players[2].user_id]


def test_a_redis_that_is_away_is_told_so(board: RowBoard, players: list[Player], redeploy: Redeploy) -> None:
    redeploy(REDIS_URL="redis://127.0.0.1:1/0")
    assert get(board.board_id, players[0].user_id, players[0]).problem == (503, "leaderboard_unavailable")
