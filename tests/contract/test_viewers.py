"""Frames to the viewers behind a Redis channel."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from typing import Any, cast

import pytest
import redis

from shared.adapters.redis.connection import connect
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.viewers import RedisViewers
from shared.domain.ranking import Standing
from shared.errors import RedisUnavailable
from tests.support.waiting import eventually

AS_OF = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)
Board = tuple[Sequence[Standing], datetime]


class Gateway:
    """Listens on a channel of its own, as the WebSocket gateway does."""

    def __init__(self, client: redis.Redis) -> None:
        name = secrets.token_hex(6)
        self.client, self.keys, self.channel = client, Keys(f"{{{name}}}:"), f"{name}:frames"
        self.viewers = RedisViewers(client, self.keys, self.channel)
        self._subscription: Any = cast("Any", client).pubsub(ignore_subscribe_messages=True)
        self._subscription.subscribe(self.channel)
        self._subscription.get_message(ignore_subscribe_messages=False, timeout=5)

    def frame(self) -> Any:
        message = self._subscription.get_message(timeout=5)
        assert message, "no frame came"
        return json.loads(message["data"])

    def kept(self) -> Any:
        return json.loads(self.client.get(f"{self.channel}:last"))  # type: ignore[arg-type]

    def redis_milliseconds(self) -> int:
        seconds, microseconds = self.client.time()
        return int(seconds * 1000 + microseconds // 1000)

    def close(self) -> None:
        self._subscription.close()


@pytest.fixture
def gateway(redis_client: redis.Redis) -> Iterator[Gateway]:
    made = Gateway(redis_client)
    yield made
    made.close()


def board(score: int) -> Board:
    return [Standing("u-1", "Ada", 1, score)], AS_OF


def test_a_frame_holds_the_board_and_its_instant(gateway: Gateway) -> None:
    version = gateway.viewers.broadcast(lambda: ([Standing("u-1", 'Zoë "Z"', 1, 7), Standing("u-2", "Bob", 2, 3)], AS_OF))
    assert gateway.frame() == {
        "type": "leaderboard",
        "version": version,
        "data": [
            {"userId": "u-1", "username": 'Zoë "Z"', "rank": 1, "score": 7},
            {"userId": "u-2", "username": "Bob", "rank": 2, "score": 3},
        ],
        "cache_time": "2026-11-23T12:00:00.123Z",
    }


def test_the_newest_frame_is_kept_for_newcomers(gateway: Gateway) -> None:
    assert not gateway.viewers.welcome("c-1")
    for score in (1, 2):
        gateway.viewers.broadcast(lambda score=score: board(score))  # type: ignore[misc]
    assert gateway.viewers.welcome("c-2")
    assert [gateway.frame(), gateway.frame()][1] == gateway.kept()
    gateway.viewers.farewell("c-1")
    assert gateway.viewers.welcome("c-3")


def test_an_empty_board_is_sent_too(gateway: Gateway) -> None:
    gateway.viewers.broadcast(lambda: ([], AS_OF))
    assert gateway.frame()["data"] == []


def test_versions_rise(gateway: Gateway) -> None:
    versions = [gateway.viewers.broadcast(lambda: board(1)) for _ in range(20)]
    assert versions == sorted(set(versions))
    assert [gateway.frame()["version"] for _ in versions] == versions


def test_versions_rise_even_after_redis_lost_everything(gateway: Gateway) -> None:
    before = gateway.viewers.broadcast(lambda: board(1))
    gateway.client.delete(gateway.keys.leaderboard_version, f"{gateway.channel}:last")
    assert not gateway.viewers.welcome("c-1")
    eventually(lambda: gateway.redis_milliseconds() > before, 5, "the next millisecond: no Redis comes back sooner")
    assert gateway.viewers.broadcast(lambda: board(2)) > before


def test_a_broadcast_that_was_overtaken_reads_the_board_anew(gateway: Gateway) -> None:
    reads = count(1)

    def read_board() -> Board:
        number = next(reads)
        if number == 1:
            gateway.viewers.broadcast(lambda: board(100))
        return board(100 + number)

    version = gateway.viewers.broadcast(read_board)
    frames = [gateway.frame(), gateway.frame()]
    assert [frame["data"][0]["score"] for frame in frames] == [100, 102], "the board of the first reading was never sent"
    assert frames[1]["version"] == version
    assert frames[0]["version"] < version


def test_racing_broadcasts_never_show_an_older_board_under_a_newer_version(gateway: Gateway) -> None:
    score = count(1)
    with ThreadPoolExecutor(8) as threads:
        versions = list(threads.map(lambda _: gateway.viewers.broadcast(lambda: board(next(score))), range(80)))
    frames = [gateway.frame() for _ in range(len(set(versions)))]
    assert frames == sorted(frames, key=lambda frame: int(frame["version"]))
    assert frames == sorted(frames, key=lambda frame: int(frame["data"][0]["score"]))
    assert gateway.kept() == frames[-1]


def test_a_redis_that_is_away_is_told_so() -> None:
    away = RedisViewers(connect("redis://127.0.0.1:1/0"), Keys(), "frames")
    asks: list[Callable[[], object]] = [lambda: away.welcome("c-1"), lambda: away.broadcast(lambda: board(1))]
    for ask in asks:
        with pytest.raises(RedisUnavailable):
            ask()
