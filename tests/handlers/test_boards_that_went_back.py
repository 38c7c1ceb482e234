"""What a Redis that went back to an earlier state still thinks of boards counts for no entry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from shared.boards.definition import BoardDefinition
from shared.boards.states_redis import Reset
from shared.container import Container
from shared.core.errors import RateWindowLost, UnknownBoard
from shared.stores.actor import Actor
from tests.handlers.defined_boards import DefinedBoard
from tests.handlers.events import invoke
from tests.handlers.players import new_player

CUP = [{"name": "cup"}]
ACTOR = Actor("test")


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(redis_url) as made:
        yield made


class GoingBack:
    """Redis forgets what happened to a board since this was made, and another run of it serves from there."""

    def __init__(self, board: DefinedBoard) -> None:
        self._board = board
        self._before = board.client.dump(board.keys.board)

    def now(self) -> None:
        numbers, client = self._board.deployed._board_keys.numbers, self._board.client
        client.restore(self._board.keys.board, 0, self._before, replace=True)
        client.hset(numbers, "server", "another run/another replication")
        client.hdel(numbers, "open")


def test_no_entry_counts_in_a_season_that_was_ended(deps: Container, client: Any) -> None:
    board, player = DefinedBoard.make(deps, client, periods=CUP), new_player(deps).user_id
    board.add(player, 5)
    board.arrived(1)
    before = GoingBack(board)
    reset = deps.board_states.reset(board.state, "cup", "r-1")
    assert isinstance(reset, Reset)
    deps.board_seasons.reset(board.board_id, reset, ACTOR, None)
    before.now()
    with pytest.raises(RateWindowLost):
        board.add(player, 3)
    invoke("rebuild_leaderboard", {})
    [place] = board.add(player, 3).places
    assert (place.season, place.score) == (2, 3)


def test_no_entry_counts_under_a_definition_that_is_over(deps: Container, client: Any) -> None:
    board, player = DefinedBoard.make(deps, client, periods=CUP), new_player(deps).user_id
    deps.known_boards.current(board.board_id)
    before = GoingBack(board)
    changed = {**board.definition.as_json(), "operator": "best", "order": "ascending"}
    deps.boards.put(BoardDefinition.parse(board.board_id, changed), ACTOR)
    deps.known_boards.redefined(board.board_id)
    before.now()
    with pytest.raises(RateWindowLost):
        board.add(player, 3)
    invoke("rebuild_leaderboard", {})
    assert [board.add(player, value).places[0].score for value in (3, 4)] == [3, 3]


def test_nobody_enters_a_board_that_was_deleted(deps: Container, client: Any) -> None:
    board, player = DefinedBoard.make(deps, client, periods=CUP), new_player(deps).user_id
    deps.known_boards.current(board.board_id)
    before = GoingBack(board)
    deps.boards.delete(board.board_id, ACTOR)
    deps.known_boards.redefined(board.board_id)
    before.now()
    with pytest.raises(RateWindowLost):
        board.add(player, 3)
    invoke("rebuild_leaderboard", {})
    with pytest.raises(UnknownBoard):
        board.add(player, 3)
