"""The schedule that clears up after players who stopped playing."""

from __future__ import annotations

from shared.container import Container
from tests.handlers.conftest import Redeploy
from tests.handlers.events import invoke
from tests.handlers.players import new_board, new_player
from tests.support.waiting import eventually


def test_only_what_is_past_is_forgotten(deployed: Container, redeploy: Redeploy) -> None:
    new_board(redeploy)
    new_player(deployed).score()
    assert invoke("forget_windows", {}) == {"forgotten": 0, "results": 0, "keys": 0}


def test_players_who_stopped_playing_are_forgotten(deployed: Container, redeploy: Redeploy) -> None:
    new_board(redeploy)
    board = redeploy(RATE_WINDOW_SECONDS="1", RATE_LIMIT_REQUESTS="1")
    players = [new_player(board) for _ in range(3)]
    assert [player.score().status for player in players] == [200] * 3
    forgotten: list[int] = []

    def all_forgotten() -> bool:
        forgotten.append(invoke("forget_windows", {})["forgotten"])
        return sum(forgotten) == 3

    eventually(all_forgotten, what="three players were forgotten")
    assert [player.score().status for player in players] == [200] * 3
