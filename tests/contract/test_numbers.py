"""Numbers of accepted updates on a real Redis: consecutive, unique, and none of them given twice by a Redis that went back."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from shared.accounts.session import Missing
from shared.boards.board import MAIN
from shared.boards.score import NewestEpoch
from shared.ledger.events import Number
from shared.stores.keys import ShardKeys
from shared.stores.redis.connection import connect
from shared.stores.redis.scripts import greeting
from tests.contract.board import Board

SHARD = ShardKeys("{numbers}:")


@pytest.fixture
def observer(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def board(redis_url: str, observer: redis.Redis) -> Iterator[Board]:
    """Its connections greet, as those of the product do."""
    client = connect(redis_url, greet=greeting(MAIN.keys(SHARD), SHARD, lambda: None))
    yield Board(client, limit=10_000, prefix=SHARD.prefix)
    client.close()
    observer.delete(*observer.scan_iter(f"{SHARD.prefix}*"))


def another_server_serves(board: Board, observer: redis.Redis) -> None:
    """As far as a connection that begins can tell."""
    observer.hset(board.keys.numbers, "server", "another run/another replication")
    board.client.close()


def test_numbers_follow_one_another(board: Board) -> None:
    player, other = board.player(), board.player()
    numbers = [board.update(user_id, 2).number for user_id in (player, other, player)]
    assert numbers == [Number(1, 1), Number(1, 2), Number(1, 3)]
    assert [event.number for event in board.outbox.pending(0, 10)] == numbers
    assert board.leaderboard.newest_epoch()[:2] == (Number(1, 3), True)


def test_a_refused_or_replayed_update_takes_no_number_of_its_own(board: Board) -> None:
    player, admin = board.player(), board.player(role="admin")
    assert board.update(player, 2, key="k").number == Number(1, 1)
    assert board.update(player, 2, key="k").number == Number(1, 1), "the first one's"
    board.outbox.settle([event.outbox_id for event in board.outbox.pending(0, 10)])
    assert board.update(player, 2, key="k").number is None
    with pytest.raises(Exception, match="player"):
        board.update(admin)
    assert board.update(player).number == Number(1, 2)


def test_racing_updates_get_all_numbers_and_each_once(board: Board) -> None:
    players = [board.player() for _ in range(3)]
    with ThreadPoolExecutor(32) as threads:
        accepted = list(threads.map(lambda n: board.update(players[n % 3]), range(300)))
    assert sorted(update.number for update in accepted if update.number) == [Number(1, sequence) for sequence in range(1, 301)]
    events = board.outbox.pending(0, 1000)
    assert [event.number for event in events] == [Number(1, sequence) for sequence in range(1, 301)], "in the outbox's order"
    by_request = {update.request_id: update.number for update in accepted}
    assert {event.request_id: event.number for event in events} == by_request


def test_connections_to_the_same_server_go_on_counting(board: Board) -> None:
    player = board.player()
    board.update(player)
    board.client.close()
    assert board.update(player).number == Number(1, 2)


def test_no_update_is_accepted_from_another_server_before_a_higher_epoch_is_open(board: Board, observer: redis.Redis) -> None:
    player = board.player()
    for _ in range(5):
        board.update(player)
    another_server_serves(board, observer)
    before = board.contents()
    assert board.try_update(player) is Missing.EPOCH
    assert board.contents() == before
    newest = board.leaderboard.newest_epoch()
    assert newest[:2] == (Number(1, 5), False)
    assert board.leaderboard.open_epoch(7, newest)
    board.windows.windows_restored()
    assert board.update(player).number == Number(7, 1)


def test_a_sequence_that_went_back_repeats_no_number(board: Board, observer: redis.Redis) -> None:
    """A replica that lacked the last writes, or a Redis that lost its last second, takes over."""
    player = board.player()
    numbers = [board.update(player).number for _ in range(3)]
    kept = {key: observer.dump(key) for key in (board.keys.numbers, board.shard.outbox)}
    numbers += [board.update(player).number for _ in range(4)]
    for key, value in kept.items():
        observer.restore(key, 0, value, replace=True)  # type: ignore[arg-type]
    another_server_serves(board, observer)
    assert board.try_update(player) is Missing.EPOCH
    board.open_epoch()
    board.windows.windows_restored()
    numbers += [board.update(player).number for _ in range(4)]
    assert len(set(numbers)) == len(numbers) == 11


def test_ended_sessions_are_read_again_after_another_server(board: Board, observer: redis.Redis) -> None:
    player = board.player()
    observer.zadd(board.shard.ended_sessions, {"*": 4e12, "ended": 4e12})
    board.update(player, session_id="s")
    another_server_serves(board, observer)
    board.leaderboard.is_whole()
    assert observer.zrange(board.shard.ended_sessions, 0, -1) == ["ended"], "the mark that says all are here is gone"
    board.open_epoch()
    assert board.try_update(player, session_id="s") is Missing.SESSIONS


def test_first_results_from_before_another_server_are_asked_of_the_ledger(board: Board, observer: redis.Redis) -> None:
    player = board.player()
    assert observer.get(board.keys.whole) == "0", "of a new board all first results are here"
    another_server_serves(board, observer)
    board.open_epoch()
    assert int(str(observer.get(board.keys.whole))) > 1_700_000_000_000
    assert board.try_update(player, key="k") is Missing.HISTORY


def test_of_several_who_open_an_epoch_one_does(board: Board) -> None:
    board.client.hdel(board.keys.numbers, "open")
    before = board.leaderboard.newest_epoch()
    with ThreadPoolExecutor(8) as threads:
        opened = list(threads.map(lambda epoch: board.leaderboard.open_epoch(epoch, before), range(2, 10)))
    assert sum(opened) == 1
    assert not board.leaderboard.open_epoch(50, board.leaderboard.newest_epoch()), "one is open"


def test_a_new_redis_says_that_it_never_counted(redis_client: redis.Redis) -> None:
    board = Board(redis_client)
    board.client.delete(*board.contents())
    newest, is_open, server = board.leaderboard.newest_epoch()
    assert (newest, is_open) == (None, False)
    assert len(server) == 81, "a run id and a replication id"
    assert board.leaderboard.open_epoch(3, NewestEpoch(newest, is_open, server))
    assert not board.leaderboard.open_epoch(4, NewestEpoch(newest, is_open, server))


def test_a_rebuilt_board_counts_in_a_new_epoch(board: Board) -> None:
    player = board.player()
    board.update(player)
    board.client.delete(board.keys.whole)
    board.leaderboard.rebuild([{player: 1}])
    assert board.try_update(player) is Missing.EPOCH
