"""What a Redis that went back may have lost of the latest updates, restored from the ledger; first results and their day."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
import redis

from shared.accounts.session import Missing
from shared.boards.action_tickets import ActionTicket
from shared.boards.rate_window import Losses
from shared.boards.redis import WINDOWS_AT_ONCE
from shared.core.errors import RateLimited, RateWindowLost, TicketAlreadyUsed
from shared.ledger.events import Acceptance, FirstResult
from tests.contract.board import Board, Clock

A_DAY_MS = 24 * 3600 * 1000


def milliseconds(clock: Clock) -> int:
    return round(clock.at.timestamp() * 1000)


def lose(board: Board) -> None:
    """Another Redis serves the board from now on, which is here the same one."""
    board.client.hset(board.keys.numbers, "server", "another")
    board.client.hdel(board.keys.numbers, "open")
    board.open_epoch()


@pytest.fixture
def clock(redis_client: redis.Redis) -> Clock:
    """Redis's own, standing."""
    seconds, _ = redis_client.time()
    clock = Clock()
    clock.at += timedelta(seconds=seconds - clock.at.timestamp())
    return clock


@pytest.fixture
def board(redis_client: redis.Redis, clock: Clock) -> Board:
    return Board(redis_client, limit=3, now=clock)


def test_after_a_loss_no_update_is_accepted_until_the_windows_are_known(board: Board) -> None:
    player = board.player()
    board.update(player)
    assert board.windows.losses() == Losses(0, results=False, windows=False)
    lose(board)
    with pytest.raises(RateWindowLost) as refused:
        board.update(player)
    assert 0 < refused.value.retry_after_seconds <= 1  # type: ignore[operator]
    assert board.windows.losses().windows
    board.windows.windows_restored()
    assert board.update(player).score == 2


def test_a_minute_after_a_loss_every_window_is_empty_again(board: Board, clock: Clock) -> None:
    player = board.player()
    lose(board)
    clock.move(60_000 + 10_000)  # the loss is dated by Redis's clock, which runs
    assert board.update(player).score == 1


@pytest.mark.parametrize("count", [0, 1, 2, WINDOWS_AT_ONCE + 1, 2 * WINDOWS_AT_ONCE + 2])
def test_the_windows_of_many_are_restored_in_a_few_round_trips(board: Board, clock: Clock, count: int) -> None:
    now = milliseconds(clock)
    players = [f"player-{number}" for number in range(count)]
    board.client.script_flush()
    before = board.client.info("commandstats").get("cmdstat_eval", {"calls": 0})["calls"]
    board.windows.restore({player: [Acceptance(now, "r-1")] for player in players})
    windows = [board.client.lrange(board.shard.user(player).requests, 0, -1) for player in players]
    assert windows == count * [[str(now).encode()]]
    sent = board.client.info("commandstats").get("cmdstat_eval", {"calls": 0})["calls"]
    assert sent - before == min(count, 1), "Redis is sent the script once"


def test_a_window_is_restored_with_what_the_ledger_has(board: Board, clock: Clock) -> None:
    player, other = board.player(), board.player()
    board.update(player)
    kept = milliseconds(clock)
    lose(board)
    board.windows.restore({player: [Acceptance(kept, "r-1"), Acceptance(kept, "r-2"), Acceptance(kept - 30_000, "r-3")]})
    board.windows.windows_restored()
    assert board.client.lrange(board.shard.user(player).requests, 0, -1) == [
        str(kept).encode(),
        str(kept).encode(),
        str(kept - 30_000).encode(),
    ]
    with pytest.raises(RateLimited) as refused:
        board.update(player)
    assert refused.value.retry_after_seconds == 30
    assert board.update(other).score == 1, "others are not held up"
    assert board.client.zscore(board.shard.rate_windows, player)


def test_a_spent_ticket_is_restored(board: Board, clock: Clock) -> None:
    player = board.player()
    ticket = ActionTicket.new(player, str(uuid4()), clock.at)
    lose(board)
    board.windows.restore({player: [Acceptance(milliseconds(clock), ticket.request_id)]})
    board.windows.windows_restored()
    with pytest.raises(TicketAlreadyUsed):
        board.update(player, ticket=ticket)


def test_keys_are_asked_of_the_ledger_until_the_first_results_are_restored(board: Board, clock: Clock) -> None:
    player = board.player()
    lose(board)
    board.windows.windows_restored()
    losses = board.windows.losses()
    assert losses.results
    assert board.try_update(player, key="k") is Missing.HISTORY
    board.leaderboard.remember([FirstResult("k", "r-0", player, 1, 17, 5, clock.at)])
    board.windows.results_restored(losses)
    assert not board.windows.losses().results
    replayed = board.update(player, key="k")
    assert (replayed.replayed, replayed.score, replayed.rank, replayed.request_id) == (True, 17, 5, "r-0")
    assert board.update(player, key="another").score == 1
    lose(board)
    board.windows.windows_restored()
    assert board.windows.losses().results, "what was restored before says nothing about a later loss"


def test_a_first_result_that_is_there_stays_as_it_is(board: Board, clock: Clock) -> None:
    player = board.player()
    first = board.update(player, 2, key="k")
    board.leaderboard.remember([FirstResult("k", "another", player, 2, 99, 1, clock.at)])
    assert board.update(player, 2, key="k").request_id == first.request_id


def test_a_first_result_has_no_ttl_and_holds_for_exactly_a_day(board: Board, clock: Clock) -> None:
    player = board.player()
    first = board.update(player, 2, key="k")
    assert board.client.ttl(board.shard.user(player).result("k")) == -1, "a full Redis takes away what has one"
    clock.move(A_DAY_MS - 1)
    board.profile(player)
    assert board.update(player, 2, key="k").replayed
    clock.move(1)
    second = board.update(player, 3, key="k")
    assert (second.replayed, second.score, second.request_id != first.request_id) == (False, 5, True)
    assert board.update(player, 3, key="k").replayed


def test_first_results_are_forgotten_after_their_day_but_not_those_of_a_key_used_again(board: Board, clock: Clock) -> None:
    player = board.player()
    for key in ("a", "b", "c"):
        board.update(player, key=key)
    assert board.windows.forget_results(10) == 0
    clock.move(A_DAY_MS + 60_000)
    board.profile(player)
    again = board.update(player, key="b")
    forgotten = [board.windows.forget_results(2) for _ in range(3)]
    assert forgotten == [2, 2, 0], "by Redis's own clock all four were kept at the same time"
    assert [bool(board.client.exists(board.shard.user(player).result(key))) for key in ("a", "b", "c")] == [False, True, False]
    assert board.update(player, key="b").request_id == again.request_id
