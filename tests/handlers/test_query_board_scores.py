"""POST /api/boards/{board}/scores/query."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from shared.container import Container
from tests.handlers.board_rows import RowBoard, Standing
from tests.handlers.events import HandlerReply, call
from tests.handlers.players import Player, give, new_player


def ask(board: str, reader: Player | None, user_ids: object, **more: Any) -> HandlerReply:
    return call(
        "query_board_scores",
        "POST /api/boards/{board}/scores/query",
        path_parameters={"board": board},
        body={"userIds": user_ids, **more},
        headers={} if reader is None else reader.authorization,
    )


@pytest.fixture
def players(deployed: Container) -> list[Player]:
    return [new_player(deployed) for _ in range(6)]


@pytest.fixture
def board(deployed: Container, players: list[Player]) -> RowBoard:
    """Points 30, 20, 20, 20, 10, 10, in the order of the players; equal ones share a rank."""
    made = RowBoard(deployed, ties="shared", periods=[{"name": "all_time"}, {"name": "week"}])
    made.put(*(Standing(player.user_id, score) for player, score in zip(players, (30, 20, 20, 20, 10, 10), strict=True)))
    return made


def test_friends_are_ranked_among_themselves_and_among_all(board: RowBoard, players: list[Player]) -> None:
    friends = [players[n].user_id for n in (5, 3, 1, 4)]
    answer = ask(board.board_id, players[0], [*friends, str(uuid4()), friends[0].upper()]).json
    assert [(row["userId"], row["rank"], row["groupRank"], row["score"]) for row in answer["data"]] == [
        (players[1].user_id, 2, 1, 20),
        (players[3].user_id, 2, 1, 20),
        (players[4].user_id, 5, 3, 10),
        (players[5].user_id, 5, 3, 10),
    ]
    assert answer["data"][0]["username"] == players[1].username
    assert (answer["total"], answer["period"], answer["season"]) == (6, "all_time", 1)


def test_friends_in_another_period_and_in_seasons_that_ended(board: RowBoard, players: list[Player]) -> None:
    friends = [players[n].user_id for n in (5, 1)]
    assert ask(board.board_id, players[0], friends, period="week").data == []
    now = ask(board.board_id, players[0], friends).data
    board.end()
    assert ask(board.board_id, players[0], friends).data == []
    assert ask(board.board_id, players[0], friends, season=1).data == now
    board.record(1, closed=True)
    rows = ask(board.board_id, players[0], friends, season=1).data
    assert [(row["userId"], row["score"], row["groupRank"]) for row in rows] == [(friends[1], 20, 1), (friends[0], 10, 2)]
    assert ask(board.board_id, players[0], friends, season=3).problem == (404, "unknown_season")


@pytest.mark.parametrize(
    "body",
    [
        {"user_ids": []},
        {"user_ids": "ada"},
        {"user_ids": [1]},
        {"user_ids": ["\0"]},
        {"user_ids": [str(n) for n in range(101)]},
        {"user_ids": ["a"], "period": 1},
        {"user_ids": ["a"], "period": "month"},
        {"user_ids": ["a"], "season": 0},
        {"user_ids": ["a"], "season": True},
        {"user_ids": ["a"], "season": "1"},
    ],
)
def test_what_makes_no_sense_is_refused(board: RowBoard, players: list[Player], body: dict[str, Any]) -> None:
    assert ask(board.board_id, players[0], **body).problem == (422, "invalid_parameter")


def test_a_hundred_can_be_asked_about(board: RowBoard, players: list[Player]) -> None:
    assert len(ask(board.board_id, players[0], [players[0].user_id, *(str(n) for n in range(99))]).data) == 1


def test_a_token_is_needed_unless_the_board_is_public(board: RowBoard, players: list[Player]) -> None:
    assert ask(board.board_id, None, [players[0].user_id]).problem == (401, "missing_token")
    assert ask("never-was", players[0], [players[0].user_id]).problem == (404, "unknown_board")
    board.define(ties="shared", periods=[{"name": "all_time"}, {"name": "week"}], public=True)
    assert len(ask(board.board_id, None, [players[0].user_id]).data) == 1


def test_main_is_asked_in_the_same_way(players: list[Player], deployed: Container) -> None:
    best = max([0, *(position.score for position in deployed.leaderboard.top(1).positions)])
    give(deployed, {player.user_id: best + 70 - 10 * place for place, player in enumerate(players)})
    rows = ask("main", players[0], [players[3].user_id, players[1].user_id]).data
    assert [(row["userId"], row["rank"], row["groupRank"]) for row in rows] == [
        (players[1].user_id, 2, 1),
        (players[3].user_id, 4, 2),
    ]
