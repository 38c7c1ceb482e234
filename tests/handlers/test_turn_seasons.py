"""The schedule that closes seasons, on a ledger behind queues."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.container import Container
from tests.handlers.boards import add_entry, define_board
from tests.handlers.conftest import Redeploy
from tests.handlers.events import invoke
from tests.handlers.players import board_in_agreement, new_player
from tests.support.product import query


@pytest.fixture
def made(redeploy: Redeploy) -> Iterator[Container]:
    with board_in_agreement(redeploy) as container:
        yield container


def test_what_a_player_was_told_is_in_the_final_ranks(made: Container) -> None:
    board_id, ada, bob = define_board(made, periods=[{"name": "cup"}]), new_player(made), new_player(made)
    assert add_entry(board_id, ada, {"value": 5}).status == 200
    made.board_states.reset(made.known_boards.get(board_id), "cup", "r-1")
    told = add_entry(board_id, bob, {"value": 7})
    assert told.data["periods"] == [{"period": "cup", "season": 2, "score": 7, "rank": 1, "improved": True}]
    assert invoke("turn_seasons", {})["closed"] >= 1
    rows = query(
        made.settings.database_url, "SELECT season, rank, user_id, score FROM final_ranks WHERE board_id = :id", id=board_id
    )
    assert rows == [[1, 1, ada.user_id, 5]]


def test_a_board_that_redis_lost_is_back_with_everybody(made: Container) -> None:
    board_id, ada = define_board(made), new_player(made)
    assert add_entry(board_id, ada, {"value": 5}).status == 200
    client = made._redis
    client.delete(*client.scan_iter(f"{made.settings.key_prefix}*"))
    reply = add_entry(board_id, ada, {"value": 3})
    assert reply.problem == (503, "leaderboard_rebuilding")
    assert int(reply.headers["Retry-After"]) >= 1
    healed = invoke("rebuild_leaderboard", {})
    assert healed["rebuilt"] is True
    assert healed["boards"] >= 1
    assert add_entry(board_id, ada, {"value": 3}).data["score"] == 8
