"""Exactly 100 updates in any 60 seconds: against a list of all instants, by the real clock, and on a Redis that is full."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from math import ceil
from typing import Any
from uuid import uuid4

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from local_runtime.instance.servers.redis import PrivateRedis
from local_runtime.instance.servers.run import running
from shared.boards.acceptance_redis import SPENT_MARGIN_MS
from shared.boards.action_tickets import LIFETIME_SECONDS, ActionTicket
from shared.boards.redis import RateWindows
from shared.boards.score import AcceptedUpdate
from shared.core.errors import IdempotencyKeyReused, InvalidApiKey, RateLimited, TicketAlreadyUsed
from shared.stores.redis.connection import connect
from shared.transport.http import Reply
from tests.contract.board import WINDOW_MS, Board, Clock
from tests.support.product import ROOT, new_data_dir, remove_data_dir

PROCESSES, EACH = 4, 50


class Oracle:
    """All instants (ms) at which a player's updates were accepted, and what follows from them."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.accepted: list[int] = []

    def window(self, now: int) -> list[int]:
        """The instants in the half-open minute that ends now."""
        return [at for at in self.accepted if now - WINDOW_MS < at <= now]

    def headers(self, now: int) -> dict[str, str]:
        """What a client is to be told now."""
        within = self.window(now)
        seconds = ceil(((within[0] if within else now) + WINDOW_MS - now) / 1000)
        return {
            "RateLimit-Policy": f'"updates";q={self.limit};w=60',
            "RateLimit": f'"updates";r={self.limit - len(within)};t={seconds}',
        }


_gaps = st.one_of(st.sampled_from([0, 1, 999, 1000, WINDOW_MS - 1, WINDOW_MS, WINDOW_MS + 1]), st.integers(0, 70_000))
# Either so much later, or just when the n-th of the accepted updates leaves the window, give or take a millisecond.
_instants = st.one_of(st.tuples(st.just(None), _gaps), st.tuples(st.integers(0, 500), st.integers(-1, 1)))
_steps = st.lists(st.tuples(st.integers(0, 1), _instants, st.sampled_from([1, 2, 7, 99, 101])), min_size=1, max_size=12)


@given(limit=st.sampled_from([1, 2, 3, 100]), steps=_steps)
@settings(deadline=None, max_examples=60)
def test_whatever_the_instants_each_minute_has_the_limit_and_no_update_less(
    redis_client: redis.Redis, limit: int, steps: list[tuple[int, tuple[int | None, int], int]]
) -> None:
    clock = Clock()
    board = Board(redis_client, limit=limit, now=clock)
    players = [(board.player(), Oracle(limit)) for _ in range(2)]
    began, now = clock.at, 0
    for place, (leaving, offset), attempts in steps:
        player, oracle = players[place]
        if leaving is None:
            now += offset
        elif oracle.accepted:
            now = max(now, oracle.accepted[leaving % len(oracle.accepted)] + WINDOW_MS + offset)
        clock.at = began + timedelta(milliseconds=now)
        for _ in range(min(attempts, limit + 1)):
            _attempt(board, player, oracle, now)
        assert board.leaderboard.scores([player]) == {player: len(oracle.accepted)}
    for _, oracle in players:
        pairs = zip(oracle.accepted, oracle.accepted[limit:], strict=False)
        assert all(later - earlier >= WINDOW_MS for earlier, later in pairs)


def _attempt(board: Board, player: str, oracle: Oracle, now: int) -> None:
    if len(oracle.window(now)) < oracle.limit:
        oracle.accepted.append(now)
        assert board.update(player).rate_window.headers() == oracle.headers(now)
        return
    with pytest.raises(RateLimited) as refused:
        board.update(player)
    assert refused.value.headers == oracle.headers(now)
    wait_ms = oracle.window(now)[0] + WINDOW_MS - now
    assert refused.value.retry_after_seconds == wait_ms / 1000
    assert Reply.problem(refused.value, "r").headers["Retry-After"] == str(ceil(wait_ms / 1000))


def test_who_waits_as_long_as_told_is_let_in_and_not_a_second_earlier(redis_client: redis.Redis) -> None:
    clock = Clock()
    board = Board(redis_client, now=clock)
    player = board.player()
    for _ in range(100):
        board.update(player)
        clock.move(137)
    for _ in range(250):
        with pytest.raises(RateLimited) as refused:
            board.update(player)
        told = int(Reply.problem(refused.value, "r").headers["Retry-After"])
        clock.move(told * 1000 - 1000)
        if told > 1:
            with pytest.raises(RateLimited):
                board.update(player)
        clock.move(1000)
        assert board.update(player).accepted_at == clock.at
        for _ in range(100):
            if _refused(board, player):
                break


def test_what_is_refused_or_answered_again_uses_nothing_of_the_limit(redis_client: redis.Redis) -> None:
    clock = Clock()
    board = Board(redis_client, limit=3, now=clock)
    player = board.player()
    ticket = ActionTicket.new(player, str(uuid4()), clock.at)
    assert board.update(player, 2, key="first").rate_window.remaining == 2
    assert board.update(player, ticket=ticket).rate_window.remaining == 1
    for _ in range(10):
        assert board.update(player, 2, key="first").rate_window.remaining == 1, "a retry is no second update"
        for refused, how in (
            (IdempotencyKeyReused, {"increment": 3, "key": "first"}),
            (TicketAlreadyUsed, {"ticket": ticket}),
            (InvalidApiKey, {"api_key": "b" * 64}),
        ):
            with pytest.raises(refused):
                board.update(player, **how)
    assert board.update(player).rate_window.remaining == 0
    with pytest.raises(RateLimited):
        board.update(player)
    assert board.update(player, 2, key="first").replayed, "who asks again is answered beyond the limit, too"


def _refused(board: Board, player: str) -> bool:
    try:
        board.update(player)
    except RateLimited:
        return True
    return False


def test_of_two_hundred_that_race_from_many_processes_exactly_a_hundred_are_let_in(redis_url: str, board: Board) -> None:
    player = board.player()
    with ExitStack() as stack:
        racers = [stack.enter_context(_racer(redis_url, board, player)) for _ in range(PROCESSES)]
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        with ThreadPoolExecutor(PROCESSES) as threads:
            outputs = list(threads.map(lambda racer: racer.communicate("go\n", timeout=60)[0], racers))
    outcomes = [outcome for output in outputs for outcome in json.loads(output)]
    assert len(outcomes) == PROCESSES * EACH
    accepted = sorted(remaining for what, remaining, _ in outcomes if what == "accepted")
    assert accepted == list(range(100)), "each of the hundred was told another number that remains"
    assert all(0 < wait <= WINDOW_MS / 1000 for _, _, wait in outcomes)
    assert board.scores() == {player: 100}
    assert len(board.outbox.pending(0, 1000)) == 100


def _racer(redis_url: str, board: Board, player: str) -> subprocess.Popen[str]:
    racer = subprocess.Popen(
        [sys.executable, "-m", "tests.contract.racing_updates"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert racer.stdin is not None
    request_ids = [str(uuid4()) for _ in range(EACH)]
    arguments = {"redis_url": redis_url, "prefix": board.shard.prefix, "user_id": player, "request_ids": request_ids}
    racer.stdin.write(json.dumps(arguments) + "\n")
    racer.stdin.flush()
    return racer


@pytest.fixture
def board(redis_client: redis.Redis) -> Board:
    return Board(redis_client)


@pytest.fixture
def small_redis() -> Iterator[redis.Redis]:
    """A Redis with the product's configuration, but little memory."""
    data_dir = new_data_dir()
    data_dir.mkdir()
    try:
        with running(PrivateRedis(data_dir, "secret")) as server:
            client = connect(server.url)
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-ttl"}
            yield client
            client.close()
    finally:
        remove_data_dir(data_dir)


def _fill(client: redis.Redis, more_bytes: int) -> int:
    """Write what may be evicted until much of it was, then make room again; answers how many keys have been."""
    memory: Any = client.info("memory")
    client.config_set("maxmemory", memory["used_memory"] + more_bytes)
    for number in range(3 * more_bytes // 1000):
        client.set(f"filler:{number}", b"x" * 1000, ex=24 * 3600)
    stats: Any = client.info("stats")
    client.config_set("maxmemory", 0)
    return int(stats["evicted_keys"])


def test_a_full_redis_forgets_neither_the_limit_nor_a_spent_ticket(small_redis: redis.Redis) -> None:
    board = Board(small_redis)
    players = [board.player() for _ in range(5)]
    seconds, _ = small_redis.time()
    tickets = [ActionTicket.new(player, str(uuid4()), datetime.fromtimestamp(seconds).astimezone()) for player in players]
    for player, ticket in zip(players, tickets, strict=True):
        assert isinstance(board.try_update(player, ticket=ticket), AcceptedUpdate)
        for _ in range(99):
            board.update(player)
    assert _fill(small_redis, 1_000_000) > 1000
    for player, ticket in zip(players, tickets, strict=True):
        board.profile(player)
        with pytest.raises(TicketAlreadyUsed):
            board.update(player, ticket=ticket)
        with pytest.raises(RateLimited):
            board.update(player)
    assert board.scores() == dict.fromkeys(players, 100)


def test_nothing_is_left_in_redis_of_those_who_stopped_playing(redis_client: redis.Redis) -> None:
    clock = Clock()
    board = Board(redis_client, now=clock)
    idle, active = [board.player() for _ in range(30)], board.player()
    empty = board.contents().keys()
    for player in (*idle, active):
        board.update(player, ticket=ActionTicket.new(player, str(uuid4()), clock.at))
        board.update(player)
    clock.move(LIFETIME_SECONDS * 1000 + SPENT_MARGIN_MS - 1)
    assert board.windows.forget(1000) == 0, "a ticket may still be sent again"
    board.update(active)
    clock.move(1)
    assert [board.windows.forget(20), board.windows.forget(20), board.windows.forget(20)] == [20, 10, 0]
    left = board.contents().keys() - empty
    own = {
        board.shard.user(active).requests,
        board.shard.user(active).spent_tickets,
        board.shard.rate_windows,
        board.shard.outbox,
    }
    assert left == {key.encode() for key in own}
    clock.move(WINDOW_MS)
    assert board.windows.forget(1000) == 1
    assert board.contents().keys() - empty == {board.shard.outbox.encode()}


class Interrupted:
    """A client of Redis that lets something happen after members of a sorted set were found."""

    def __init__(self, client: redis.Redis, happens: Callable[[], object]) -> None:
        self._client = client
        self._happens = happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def zrangebyscore(self, *arguments: Any) -> Any:
        found = self._client.zrangebyscore(*arguments)
        if found:
            self._happens()
        return found


def test_one_who_comes_back_while_being_forgotten_keeps_the_window(redis_client: redis.Redis) -> None:
    clock = Clock()
    board = Board(redis_client, limit=1, now=clock)
    player = board.player()
    board.update(player)
    clock.move(WINDOW_MS)
    client: Any = Interrupted(redis_client, lambda: board.update(player))
    windows = RateWindows(client, board.keys, board.shard, rate_window_seconds=60, now=clock)
    assert windows.forget(10) == 0
    with pytest.raises(RateLimited):
        board.update(player)


def test_a_clock_that_was_set_back_leaves_nothing_behind_for_ever(redis_client: redis.Redis) -> None:
    clock = Clock()
    board = Board(redis_client, now=clock)
    board.update(board.player())
    clock.move(-365 * 24 * 3_600_000)
    assert board.windows.forget(10) == 0
    clock.move(WINDOW_MS + 3_600_000 - 1)
    assert board.windows.forget(10) == 0
    clock.move(1)
    assert board.windows.forget(10) == 1
    assert board.client.exists(board.shard.rate_windows) == 0
