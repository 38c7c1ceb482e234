"""The board as reconciliation sees it, on a real Redis."""

from __future__ import annotations

import secrets

import pytest
import redis

from shared.boards.redis import RedisLeaderboard
from shared.core.errors import LeaderboardRebuilding, ReconciliationRunning
from shared.ledger.events import Number
from shared.reconciliation.model import Reading, Sweep
from shared.reconciliation.redis import STEP, RedisBoardCheck
from shared.stores.keys import Keys


class Board:
    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.keys = Keys(f"{{{secrets.token_hex(6)}}}:")
        self.leaderboard = RedisLeaderboard(client, self.keys, rate_limit_requests=100, rate_window_seconds=60)
        self.check = RedisBoardCheck(client, self.keys)

    def fill(self, points: dict[str, int]) -> None:
        self.client.delete(self.keys.leaderboard_whole)
        self.leaderboard.rebuild([points])
        before = self.leaderboard.newest_epoch()
        assert self.leaderboard.open_epoch(before.newest.epoch + 1 if before.newest else 1, before)


@pytest.fixture
def board(redis_client: redis.Redis) -> Board:
    return Board(redis_client)


def test_the_whole_board_is_seen_in_steps(board: Board) -> None:
    points = {f"p-{number}": number for number in range(3 * STEP)}
    board.fill(points)
    cursor, seen, steps = 0, set(), 0
    while steps == 0 or cursor:
        cursor, names = board.check.scan(cursor, STEP)
        seen.update(names)
        steps += 1
    assert seen == points.keys()
    assert steps >= 3


def test_scores_are_read_with_the_number_of_the_newest_update_in_them(board: Board) -> None:
    board.fill({"a": 1, "b": 2})
    assert board.check.read(["b", "nobody", "a"]) == Reading({"b": 2, "a": 1}, Number(1, 0))
    board.client.hincrby(board.keys.leaderboard_numbers, "sequence", 5)
    assert board.check.read([]) == Reading({}, Number(1, 5))


def test_without_an_open_epoch_there_is_no_number_to_compare_at(board: Board) -> None:
    assert board.check.read(["a"]) == Reading({}, None)
    board.fill({"a": 1})
    board.client.hdel(board.keys.leaderboard_numbers, "open")
    assert board.check.read(["a"]) == Reading({"a": 1}, None)


def test_suspects_stay_until_they_were_looked_at(board: Board) -> None:
    board.leaderboard.suspect(["a", "b"])
    board.leaderboard.suspect([])
    board.leaderboard.suspect(["b", "c"])
    board.check.clear(["a", "nobody"])
    board.check.clear([])
    assert board.check.suspects() == {"b", "c"}


def test_a_sweep_goes_on_where_it_stopped_in_the_same_run_of_redis(board: Board) -> None:
    assert board.check.sweep() == Sweep("", 0)
    board.check.save_sweep(Sweep("p-17", 4711))
    assert board.check.sweep() == Sweep("p-17", 4711)
    board.client.hset(board.keys.leaderboard_sweep, "server", "another run")
    assert board.check.sweep() == Sweep("", 0)


def test_a_repair_adds_enters_and_removes(board: Board) -> None:
    board.fill({"a": 10, "b": 5, "invented": 7})
    board.check.repair({"a": -4, "b": 0, "new": 3, "idle": 0, "invented": None, "nobody": None}, board.check.mark(1), 1)
    assert board.leaderboard.scores(["a", "b", "new", "idle", "invented", "nobody"]) == {"a": 6, "b": 5, "new": 3, "idle": 0}


def test_members_that_nobody_of_ours_made_are_seen_and_taken_off(board: Board) -> None:
    board.fill({"a": 1})
    foreign = [b"user:\xff\xfe", b"nobody", b"\x00", "user:ключ\n".encode(), b"user:" + b"x" * 99]
    board.client.zadd(board.keys.leaderboard, dict.fromkeys(foreign, 7.0))
    _, seen = board.check.scan(0, STEP)
    assert board.check.read(seen).scores == {**dict.fromkeys(seen, 7), "a": 1}
    assert len(set(seen)) == 6
    board.check.repair(dict.fromkeys(set(seen) - {"a"}), board.check.mark(1), 1)
    assert board.check.scan(0, STEP) == (0, ["a"])


def test_a_board_that_was_rebuilt_since_is_not_repaired(board: Board) -> None:
    board.fill({"a": 10})
    board.client.set(board.keys.leaderboard_whole, mark := "1700000000000")
    board.client.delete(board.keys.leaderboard_whole)
    with pytest.raises(LeaderboardRebuilding):
        board.check.repair({"a": -4}, mark, 1)
    with pytest.raises(LeaderboardRebuilding):
        board.check.mark(1)
    board.fill({"a": 6})
    with pytest.raises(LeaderboardRebuilding):
        board.check.repair({"a": -4}, mark, 1)
    assert board.leaderboard.scores(["a"]) == {"a": 6}


def test_a_run_that_was_held_up_until_another_began_repairs_nothing(board: Board) -> None:
    """The other one may have added the same difference."""
    board.fill({"a": 10})
    late, newest = board.check.mark(5), board.check.mark(6)
    board.check.repair({"a": -4}, newest, 6)
    with pytest.raises(ReconciliationRunning):
        board.check.repair({"a": -4}, late, 5)
    assert board.leaderboard.scores(["a"]) == {"a": 6}


def test_a_run_of_redis_is_known_once_the_board_was_held_against_the_ledger(board: Board) -> None:
    board.fill({})
    server = board.check.server()
    assert server
    assert not board.check.is_known_server(server)
    board.check.know_server(server)
    assert board.check.is_known_server(server)
    board.check.know_server("another run")
    assert not board.check.is_known_server(server)
