"""Views of boards that are posted to connections of API Gateway: everybody gets the newest state, in order, within one quota."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
import redis

from shared.accounts.player import Caller
from shared.boards.board import MAIN
from shared.boards.definition import BoardDefinition
from shared.viewers.connections_redis import LONGEST_MS, Connections, Quota
from shared.viewers.frames_redis import INTERVAL_SECONDS, Frames, Ticks
from shared.viewers.management_api import ManagementApi
from shared.viewers.posted_views_redis import PostedViews
from shared.viewers.read_views import BoardFrames, MadeViews, SeasonLines
from shared.viewers.rings import Chunk, Outcome, Throttled, ring_of_view
from shared.viewers.subscriptions_redis import SWEPT_MS, Subscriptions
from shared.viewers.view import View
from tests.contract.watching import ApiGatewayWatching, api_gateway_watching, in_a_while
from tests.support import aws

CROWD = 200
BOARD = BoardDefinition.parse("sprints", {"title": "Sprints"})
VIEW = View("sprints", "all_time", 10, is_public=False)


class Views:
    """Connections that watch, and a board with one number on it."""

    def __init__(self, watching: ApiGatewayWatching) -> None:
        self.watching, self.api = watching, watching.api
        self.client: Any = watching.client
        self.subscriptions = Subscriptions(watching.client, watching.shard, now=watching.now)
        self._gateways: list[ManagementApi] = []
        self.views = self.another()
        self.value = 0
        self._lock = threading.Lock()
        self._version = count(watching.now())

    def another(self, quota: Quota = Quota(5000, 1000), **options: Any) -> PostedViews:  # noqa: B008 - it is frozen
        """As in another process."""
        watching, gateway = self.watching, ManagementApi(self.watching.url)
        self._gateways.append(gateway)
        return PostedViews(
            watching.client,
            MAIN.keys(watching.shard),
            watching.shard,
            Connections(watching.client, watching.shard, quota, now=watching.now),
            self.subscriptions,
            gateway,
            Ticks(watching.client, now=watching.now),
            **options,
        )

    def read(self) -> BoardFrames:
        """The board at the instant of a version."""
        with self._lock:
            return self.frames(next(self._version), self.value)

    def frames(self, version: int, value: int) -> BoardFrames:
        return BoardFrames(BOARD, version, datetime.now(UTC), {"all_time": SeasonLines(1, [json.dumps({"score": value})])})

    def make(self, board_id: str, views: Sequence[View]) -> MadeViews:
        return MadeViews(self.read(), views, {})

    def send(self, value: int) -> bool:
        """Whether everybody was served."""
        self.value = value
        return self.views.broadcast({"sprints": [VIEW]}, self.make)

    def watch(self, *names: str) -> None:
        """They subscribe, and have been answered."""
        for name in names:
            self.subscriptions.know(self.api.connect(name), Caller("", "player", in_a_while()))
            version = self.views.shown(VIEW, self.read())
            assert not self.subscriptions.watch(name, "1", VIEW.name, version)

    def crowd(self) -> list[str]:
        names = [f"v-{number}=" for number in range(CROWD)]
        self.watch(*names)
        return names

    def close(self) -> None:
        for gateway in self._gateways:
            gateway.close()

    def got(self, name: str) -> list[tuple[int, int]]:
        """Version and number of each frame."""
        return [(frame["version"], frame["data"][0]["score"]) for frame in self.api.frames(name)]


@pytest.fixture
def views(redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Views]:
    for name, value in aws.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with api_gateway_watching(redis_client) as watching:
        made = Views(watching)
        yield made
        made.close()


def test_everybody_gets_each_state_once(views: Views) -> None:
    names = views.crowd()
    for value in (5, 5, 6):
        assert views.send(value)
    assert {tuple(score for _, score in views.got(name)) for name in names} == {(5, 6)}
    assert views.api.requests == 2 * CROWD


def test_racing_broadcasts_share_the_crowd_and_nobody_gets_an_older_state_after_a_newer_one(views: Views) -> None:
    names, values, began = views.crowd(), count(1), time.monotonic()

    def broadcast(sender: PostedViews) -> None:
        for _ in range(5):
            views.value = next(values)
            assert sender.broadcast({"sprints": [VIEW]}, views.make)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(broadcast, [views.another() for _ in range(4)]))
    made = int((time.monotonic() - began) / INTERVAL_SECONDS) + 1
    for name in names:
        got = views.got(name)
        assert got == sorted(got)
        assert len({version for version, _ in got}) <= made
        assert got[-1][1] == views.value
    assert views.api.requests <= CROWD * made


def test_an_older_reading_never_takes_the_place_of_a_newer_one(views: Views) -> None:
    first = views.read().version
    assert views.views.shown(VIEW, views.frames(first, 1)) == first
    assert views.views.shown(VIEW, views.frames(first + 2, 1)) == first, "nothing changed"
    assert views.views.shown(VIEW, views.frames(first + 1, 2)) == 0, "it was read before"
    assert views.views.shown(VIEW, views.frames(first + 3, 2)) == first + 3


def test_main_and_views_take_their_posts_from_one_quota(views: Views) -> None:
    watching = views.watching
    views.crowd()
    views.views.shown(VIEW, views.frames(views.read().version, 9))
    views.client.delete(watching.shard.viewers_quota)
    at = watching.now()
    limited = Connections(watching.client, watching.shard, Quota(1, 100), now=lambda: at)
    ring, [of_main] = ring_of_view(watching.shard, VIEW.name), limited.peopled([limited.main])
    taken = [limited.take(place, "holder", 100) for place in ring.places]
    assert 75 < sum(len(each.connection_ids) for each in taken if isinstance(each, Chunk)) <= 100
    views.client.hset(watching.shard.viewers_quota, "tokens", 0)
    Frames(watching.client, watching.keys, watching.shard).read_after_now(lambda: ([], datetime.now(UTC)))
    assert isinstance(limited.take(of_main, "holder", 100), Throttled)


def test_a_broadcast_that_runs_out_of_time_says_so_and_another_one_goes_on(views: Views) -> None:
    names = views.crowd()
    views.value = 7
    assert not views.another(seconds=0.05, quota=Quota(100, 100)).broadcast({"sprints": [VIEW]}, views.make)
    assert views.views.behind() == ["sprints"]
    assert views.send(7)
    assert views.views.behind() == []
    assert {views.got(name)[-1][1] for name in names} == {7}


def test_what_is_kept_of_a_view_vanishes_by_itself(views: Views) -> None:
    views.watch("a=", "b=", "c=")
    frames = views.read()
    assert views.views.shown(VIEW, views.frames(frames.version, 5))
    views.subscriptions.know("late=", Caller("", "player", in_a_while()))
    assert views.subscriptions.watch("late=", "1", VIEW.name, frames.version - 1), "it has an older version"
    connections = Connections(views.client, views.watching.shard, Quota(5000, 1000), now=views.watching.now)
    for place in connections.peopled([ring_of_view(views.watching.shard, VIEW.name)]):
        chunk = connections.take(place, "holder", 100)
        assert isinstance(chunk, Chunk)
        connections.settle(chunk, Outcome(failed=list(chunk.connection_ids)), 1)
        assert views.client.pttl(place.owed) > 0
        assert views.client.pttl(place.round) > 0
    views.api.connect("late=")
    assert views.send(1)
    kept = {key: views.client.pttl(key) for key in views.client.scan_iter(f"{views.watching.shard.prefix}*{VIEW.name}*")}
    assert kept
    assert all(0 < ttl <= LONGEST_MS for ttl in kept.values()), kept
    assert 0 < views.client.pttl(views.watching.shard.viewer("a=")) <= 15 * 60_000 + SWEPT_MS
    assert 0 < views.client.pttl(views.watching.shard.views_ticks("sprints")) <= LONGEST_MS


def test_a_view_is_watched_until_the_last_one_has_left_and_a_moment_longer(views: Views) -> None:
    views.watch("a=", "b=")
    views.subscriptions.forget(["a="])
    assert views.views.watched() == [VIEW]
    until = views.client.zscore(views.watching.shard.watched_views, VIEW.name)
    assert until > views.watching.now() + 10 * 60_000
    views.subscriptions.forget(["b="])
    until = views.client.zscore(views.watching.shard.watched_views, VIEW.name)
    assert views.watching.now() < until <= views.watching.now() + 60_000
