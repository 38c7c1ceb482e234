"""The board as reconciliation sees it, on a real Redis."""

from __future__ import annotations

import secrets

import pytest
import redis

from shared.boards.board import MAIN
from shared.boards.redis import Leaderboard
from shared.core.errors import LeaderboardRebuilding, ReconciliationRunning
from shared.ledger.events import Number
from shared.reconciliation.model import Reading, Sweep
from shared.reconciliation.redis import STEP, BoardCheck
from shared.stores.keys import ShardKeys


class Board:
    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        shard = ShardKeys(f"{{{secrets.token_hex(6)}}}:")
        self.keys = MAIN.keys(shard)
        self.leaderboard = Leaderboard(client, MAIN, self.keys, shard, rate_limit_requests=100, rate_window_seconds=60)
        self.check = BoardCheck(client, MAIN, self.keys)

    def fill(self, points: dict[str, int]) -> None:
        self.client.delete(self.keys.whole)
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
    board.client.hincrby(board.keys.numbers, "sequence", 5)
    assert board.check.read([]) == Reading({}, Number(1, 5))


def test_without_an_open_epoch_there_is_no_number_to_compare_at(board: Board) -> None:
    assert board.check.read(["a"]) == Reading({}, None)
    board.fill({"a": 1})
    board.client.hdel(board.keys.numbers, "open")
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
    board.client.hset(board.keys.sweep, "server", "another run")
    assert board.check.sweep() == Sweep("", 0)


def test_a_repair_adds_enters_and_removes(board: Board) -> None:
    board.fill({"a": 10, "b": 5, "invented": 7})
    board.check.repair({"a": -4, "b": 0, "new": 3, "idle": 0, "invented": None, "nobody": None}, board.check.mark(1), 1)
    assert board.leaderboard.scores(["a", "b", "new", "idle", "invented", "nobody"]) == {"a": 6, "b": 5, "new": 3, "idle": 0}


def test_as_many_are_repaired_as_there_are(board: Board) -> None:
    board.fill({})
    points = {f"p-{number}": number for number in range(STEP + 1)}
    board.check.repair(points, board.check.mark(1), 1)
    assert board.check.read(list(points)).shown == points


def test_members_that_nobody_of_ours_made_are_seen_and_taken_off(board: Board) -> None:
    board.fill({"a": 1})
    foreign = [b"user:\xff\xfe", b"nobody", b"\x00", "user:ключ\n".encode(), b"user:" + b"x" * 99]
    board.client.zadd(board.keys.leaderboard, dict.fromkeys(foreign, 7.0))
    _, seen = board.check.scan(0, STEP)
    assert board.check.read(seen).shown == {**dict.fromkeys(seen, 7), "a": 1}
    assert len(set(seen)) == 6
    board.check.repair(dict.fromkeys(set(seen) - {"a"}), board.check.mark(1), 1)
    assert board.check.scan(0, STEP) == (0, ["a"])


def test_a_board_that_was_rebuilt_since_is_not_repaired(board: Board) -> None:
    board.fill({"a": 10})
    board.client.set(board.keys.whole, mark := "1700000000000")
    board.client.delete(board.keys.whole)
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


def test_hidden_players_are_read_repaired_and_taken_off_where_they_are(board: Board) -> None:
    board.fill({"a": 10, "b": 5, "gone": 1})
    assert board.leaderboard.hide(["b", "gone"]) == 2
    assert board.check.read(["a", "b", "gone"]) == Reading({"a": 10}, Number(1, 0), {"b": 5, "gone": 1})
    assert [sorted(names) for names in board.check.hidden()] == [["b", "gone"]]
    board.check.repair({"a": 1, "b": -2, "gone": None}, board.check.mark(1), 1)
    reading = board.check.read(["a", "b", "gone"])
    assert reading == Reading({"a": 11}, Number(1, 0), {"b": 3})
    assert [reading.score(user_id) for user_id in ("a", "b", "gone")] == [11, 3, None]


@pytest.mark.parametrize(
    ("place", "is_hidden", "is_misplaced"),
    [
        ("shown", False, False),
        ("shown", True, True),
        ("hidden", False, True),
        ("hidden", True, False),
        ("both", False, True),
        ("both", True, True),
        ("nowhere", False, False),
        ("nowhere", True, True),
    ],
)
def test_a_player_stands_on_the_board_or_beside_it(place: str, is_hidden: bool, is_misplaced: bool) -> None:
    shown, hidden = ({"a": 1} if place in (where, "both") else {} for where in ("shown", "hidden"))
    assert Reading(shown, None, hidden).is_misplaced("a", is_hidden=is_hidden) is is_misplaced
