"""What viewers get, whatever holds their sockets."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
import redis

from shared.boards.board import MAIN
from shared.boards.ranking import Standing
from shared.core.errors import RedisUnavailable
from shared.stores.keys import ShardKeys
from shared.stores.redis.connection import connect
from shared.viewers.appsync import AppSyncViewers, EventsApi
from shared.viewers.connections_redis import Quota
from shared.viewers.frames_redis import Frames
from shared.viewers.gateway_redis import RedisViewers
from shared.viewers.ports import Viewers
from tests.contract.watching import (
    AS_OF,
    WAYS,
    Board,
    RedisWatching,
    Watching,
    api_gateway_viewers,
    board,
    in_a_while,
    redis_watching,
)
from tests.support import aws
from tests.support.waiting import eventually

KEYS = MAIN.keys(ShardKeys())


@pytest.fixture(params=list(WAYS))
def watching(request: pytest.FixtureRequest, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watching]:
    for name, value in aws.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with WAYS[request.param](redis_client) as made:
        yield made


@pytest.fixture
def local(redis_client: redis.Redis) -> Iterator[RedisWatching]:
    with redis_watching(redis_client) as made:
        yield made


def redis_milliseconds(client: redis.Redis) -> int:
    seconds, microseconds = client.time()
    return int(seconds * 1000 + microseconds // 1000)


def test_a_frame_holds_the_board_and_its_instant(watching: Watching) -> None:
    delivery = watching.viewers.broadcast(
        lambda: ([Standing("u-1", "zoe", 'Zoë "Z"', 1, 7), Standing("u-2", "bob", "bob", 2, 3)], AS_OF)
    )
    assert delivery.is_complete
    [frame] = watching.frames()
    assert list(frame) == ["type", "version", "data", "cache_time"]
    assert frame == {
        "type": "leaderboard",
        "version": delivery.version,
        "data": [
            {"userId": "u-1", "username": "zoe", "displayName": 'Zoë "Z"', "rank": 1, "score": 7},
            {"userId": "u-2", "username": "bob", "displayName": "bob", "rank": 2, "score": 3},
        ],
        "cache_time": "2026-11-23T12:00:00.123Z",
    }


def test_an_empty_board_is_sent_too(watching: Watching) -> None:
    watching.viewers.broadcast(lambda: ([], AS_OF))
    assert [frame["data"] for frame in watching.frames()] == [[]]


def test_versions_rise(watching: Watching) -> None:
    versions = [watching.viewers.broadcast(lambda n=n: board(n)).version for n in range(8)]  # type: ignore[misc]
    assert versions == sorted(set(versions))
    assert [frame["version"] for frame in watching.frames()] == versions


def test_versions_rise_even_after_redis_lost_everything(watching: Watching) -> None:
    before = watching.viewers.broadcast(lambda: board(1)).version
    watching.lose_everything()
    eventually(lambda: redis_milliseconds(watching.client) > before, 60, "the next millisecond: no Redis comes back sooner")
    assert watching.viewers.broadcast(lambda: board(2)).version > before


def test_a_broadcast_that_was_overtaken_reads_the_board_anew(watching: Watching) -> None:
    reads = count(1)

    def read_board() -> Board:
        number = next(reads)
        if number == 1:
            watching.viewers.broadcast(lambda: board(100))
        return board(100 + min(number, 2))

    version = watching.viewers.broadcast(read_board).version
    frames = watching.frames()
    assert [frame["data"][0]["score"] for frame in frames] == [100, 102], "the board of the first reading was never sent"
    assert [frame["version"] < version for frame in frames] == [True, False]


def test_racing_broadcasts_never_show_an_older_board_under_a_newer_version(watching: Watching) -> None:
    score = count(1)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: watching.viewers.broadcast(lambda: board(next(score))), range(24)))
    frames = watching.frames()
    assert frames == sorted(frames, key=lambda frame: int(frame["version"]))
    assert frames == sorted(frames, key=lambda frame: int(frame["data"][0]["score"]))


def test_nobody_is_swept_who_may_stay(watching: Watching) -> None:
    assert watching.viewers.sweep().ended == 0
    watching.viewers.broadcast(lambda: board(1))
    assert len(watching.frames()) == 1


def test_the_newest_frame_is_kept_for_newcomers_to_the_local_gateway(local: RedisWatching) -> None:
    assert not local.viewers.welcome("c-1", in_a_while())
    for score in (1, 2):
        local.viewers.broadcast(lambda score=score: board(score))  # type: ignore[misc]
    assert local.viewers.welcome("c-2", in_a_while())
    assert local.frames()[-1] == local.kept()
    local.viewers.farewell("c-1")
    assert local.viewers.welcome("c-3", in_a_while())
    local.lose_everything()
    assert not local.viewers.welcome("c-4", in_a_while())


def away() -> redis.Redis:
    return connect("redis://127.0.0.1:1/0")


@pytest.mark.parametrize(
    "viewers",
    [
        RedisViewers(away(), KEYS, "frames"),
        api_gateway_viewers(away(), ShardKeys(), "http://127.0.0.1:1/live", Quota(5000, 1000)),
        AppSyncViewers(Frames(away(), KEYS, ShardKeys()), EventsApi("http://127.0.0.1:1/event", "/scoreboard/live")),
    ],
    ids=list(WAYS),
)
def test_a_redis_that_is_away_is_told_so(viewers: Viewers) -> None:
    with pytest.raises(RedisUnavailable):
        viewers.broadcast(lambda: board(1))


@pytest.mark.parametrize(
    "viewers",
    [
        RedisViewers(away(), KEYS, "frames"),
        api_gateway_viewers(away(), ShardKeys(), "http://127.0.0.1:1/live", Quota(5000, 1000)),
    ],
    ids=["redis", "api-gateway"],
)
def test_nobody_is_let_in_while_redis_is_away(viewers: Viewers) -> None:
    with pytest.raises(RedisUnavailable):
        viewers.welcome("c-1", in_a_while())
