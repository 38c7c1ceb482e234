"""GET /api/score/{user_id}."""

from __future__ import annotations

from uuid import uuid4

import pytest

from shared.container import Container
from tests.handlers.conftest import Redeploy
from tests.handlers.events import HandlerReply, call
from tests.handlers.players import Player, give, new_player


def get(user_id: str, reader: Player | None, neighbours: str | None = None) -> HandlerReply:
    return call(
        "get_user_score",
        "GET /api/score/{user_id}",
        path_parameters={"user_id": user_id},
        query=None if neighbours is None else {"neighbours": neighbours},
        headers={} if reader is None else reader.authorization,
    )


@pytest.fixture
def players(deployed: Container) -> list[Player]:
    """Seven players in the first seven places."""
    made = [new_player(deployed) for _ in range(7)]
    best = max([0, *(position.score for position in deployed.leaderboard.top(1).positions)])
    for place, player in enumerate(made):
        give(deployed, {player.user_id: best + 70 - 10 * place})
    return made


def test_a_player_is_shown_with_two_neighbours_on_each_side(players: list[Player]) -> None:
    data = get(players[3].user_id, players[0]).data
    assert set(data) == {"userId", "username", "displayName", "rank", "score", "neighbours"}
    assert (data["userId"], data["username"], data["rank"]) == (players[3].user_id, players[3].username, 4)
    assert [(line["userId"], line["username"], line["rank"]) for line in data["neighbours"]] == [
        (players[n].user_id, players[n].username, n + 1) for n in (1, 2, 4, 5)
    ]
    assert [line["score"] - data["score"] for line in data["neighbours"]] == [20, 10, -10, -20]


@pytest.mark.parametrize(("neighbours", "places"), [("0", []), ("1", [2]), ("3", [2, 3, 4])])
def test_the_first_has_neighbours_on_one_side(players: list[Player], neighbours: str, places: list[int]) -> None:
    data = get(players[0].user_id, players[6], neighbours).data
    assert data["rank"] == 1
    assert [line["rank"] for line in data["neighbours"]] == places


@pytest.mark.parametrize("neighbours", ["-1", "51", "two", ""])
def test_another_number_of_neighbours_is_refused(players: list[Player], neighbours: str) -> None:
    assert get(players[0].user_id, players[0], neighbours).problem == (422, "invalid_parameter")


def test_somebody_who_is_not_on_the_board_is_not_found(deployed: Container) -> None:
    admin = new_player(deployed, "admin")
    for user_id in (str(uuid4()), admin.user_id):
        assert get(user_id, admin).problem == (404, "unknown_user")


def test_a_token_is_needed(players: list[Player]) -> None:
    assert get(players[0].user_id, None).problem == (401, "missing_token")


def test_a_redis_that_is_away_is_told_so(players: list[Player], redeploy: Redeploy) -> None:
    redeploy(REDIS_URL="redis://127.0.0.1:1/0")
    assert get(players[0].user_id, players[0]).problem == (503, "leaderboard_unavailable")
