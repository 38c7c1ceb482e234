"""Somebody who watches through each of the adapters of the port Viewers."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, cast

import redis

from shared.boards.board import MAIN
from shared.boards.ranking import Standing
from shared.stores.keys import BoardKeys, ShardKeys
from shared.viewers.api_gateway import ApiGatewayViewers
from shared.viewers.appsync import AppSyncViewers, EventsApi
from shared.viewers.connections_redis import Connections, Quota
from shared.viewers.frames_redis import Frames, Milliseconds, server_time
from shared.viewers.gateway_redis import RedisViewers
from shared.viewers.management_api import ManagementApi
from shared.viewers.ports import Viewers
from shared.viewers.subscriptions_redis import Subscriptions
from tests.support import aws

AS_OF = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)
Board = tuple[Sequence[Standing], datetime]


def board(score: int) -> Board:
    """One player with so many points."""
    return [Standing("u-1", "ada", "Ada", 1, score)], AS_OF


def in_a_while() -> datetime:
    """When sessions that begin now end."""
    return datetime.now(UTC) + timedelta(minutes=15)


class Watching(Protocol):
    """An adapter, and what a viewer behind it gets."""

    viewers: Viewers
    keys: BoardKeys
    client: redis.Redis

    def frames(self) -> list[Any]:
        """Every frame that has come, in the order in which it came."""
        ...

    def lose_everything(self) -> None:
        """Redis forgets all of this board."""
        ...


class RedisWatching:
    """Listens on a channel of its own, as the WebSocket gateway does."""

    def __init__(self, client: redis.Redis) -> None:
        name = secrets.token_hex(6)
        self.client, self.keys, self.channel = client, MAIN.keys(ShardKeys(f"{{{name}}}:")), f"{name}:frames"
        self.viewers = RedisViewers(client, self.keys, self.channel)
        self._seen: list[Any] = []
        self._subscription: Any = cast("Any", client).pubsub(ignore_subscribe_messages=True)
        self._subscription.subscribe(self.channel)
        self._subscription.get_message(ignore_subscribe_messages=False, timeout=60)

    def frames(self) -> list[Any]:
        """See Watching; a text published to oneself tells that all before it are here."""
        end = secrets.token_hex(8).encode()
        self.client.publish(self.channel, end)
        while True:
            message = self._subscription.get_message(timeout=60)
            assert message, "nothing came"
            if message["data"] == end:
                return self._seen
            self._seen.append(json.loads(message["data"]))

    def kept(self) -> Any:
        """The frame for newcomers."""
        return json.loads(self.client.get(f"{self.channel}:last"))  # type: ignore[arg-type]

    def lose_everything(self) -> None:
        """See Watching."""
        self.client.delete(self.keys.version, f"{self.channel}:last")

    def close(self) -> None:
        """Stop listening."""
        self._subscription.close()


def api_gateway_viewers(
    client: redis.Redis, shard: ShardKeys, url: str, quota: Quota, now: Milliseconds = server_time, **options: Any
) -> ApiGatewayViewers:
    """The adapter as the container makes it."""
    frames = Frames(client, MAIN.keys(shard), shard, now=now)
    connections = Connections(client, shard, quota, now=now)
    return ApiGatewayViewers(frames, connections, Subscriptions(client, shard, now=now), ManagementApi(url), **options)


class ApiGatewayWatching:
    """A viewer connected to a WebSocket API that a stand-in plays."""

    def __init__(self, client: redis.Redis, url: str, api: aws.Connections) -> None:
        self.client, self.shard, self.api = client, ShardKeys(f"{{{secrets.token_hex(6)}}}:"), api
        self.keys = MAIN.keys(self.shard)
        self.url = f"{url}/{aws.STAGE}"
        self._made: list[ApiGatewayViewers] = []
        self.skipped_ms = 0
        self.connections = Connections(client, self.shard, Quota(5000, 1000), now=self.now)
        self.viewers = self.another()
        self.join("c-0=")

    def now(self) -> int:
        """Redis' clock, and what the test has skipped."""
        seconds, microseconds = self.client.time()
        return int(seconds * 1000 + microseconds // 1000) + self.skipped_ms

    def another(self, quota: Quota = Quota(5000, 1000), **options: Any) -> ApiGatewayViewers:  # noqa: B008 - it is frozen
        """A second adapter of the same viewers, as in another process."""
        self._made.append(api_gateway_viewers(self.client, self.shard, self.url, quota, self.now, **options))
        return self._made[-1]

    def crowd(self, size: int) -> list[str]:
        """So many viewers come."""
        names = [f"c-{number}=" for number in range(1, size + 1)]
        for name in names:
            self.join(name)
        return names

    def join(self, connection_id: str, ends_at: datetime | None = None) -> bool:
        """A viewer connects; the answer of `welcome`."""
        return self.viewers.welcome(self.api.connect(connection_id), ends_at or in_a_while())

    def scores(self, connection_id: str = "c-0=") -> list[int]:
        """The points in the frames a viewer has got."""
        return [frame["data"][0]["score"] for frame in self.api.frames(connection_id)]

    def frames(self) -> list[Any]:
        """See Watching; a frame that came a second time counts once, as for a client."""
        seen: dict[int, Any] = {}
        for frame in self.api.frames("c-0="):
            assert frame["version"] >= max(seen, default=0)
            seen[frame["version"]] = frame
        return list(seen.values())

    def lose_everything(self) -> None:
        """See Watching; viewers come again when their sockets are closed."""
        for key in self.client.scan_iter(f"{self.shard.prefix}*"):
            self.client.delete(key)
        self.join("c-0=")

    def close(self) -> None:
        """End all connections."""
        for viewers in self._made:
            viewers.close()


class AppSyncWatching:
    """A subscriber of an AppSync Events API that a stand-in plays."""

    def __init__(self, client: redis.Redis, url: str, api: aws.EventsApi) -> None:
        self.client, self.shard, self.api = client, ShardKeys(f"{{{secrets.token_hex(6)}}}:"), api
        self.keys = MAIN.keys(self.shard)
        self._url = f"{url}/event"
        self._made: list[AppSyncViewers] = []
        self.viewers = self.another()

    def another(self, channel: str = "/scoreboard/live", api_key: str = "", **options: Any) -> AppSyncViewers:
        """A second adapter of the same viewers, as in another process."""
        events_api = EventsApi(self._url, channel, api_key)
        self._made.append(AppSyncViewers(Frames(self.client, self.keys, self.shard), events_api, **options))
        return self._made[-1]

    def frames(self) -> list[Any]:
        """See Watching; a client passes over what is older than what it has."""
        seen: dict[int, Any] = {}
        for frame in self.api.frames():
            if frame["version"] > max(seen, default=0):
                seen[frame["version"]] = frame
        return list(seen.values())

    def lose_everything(self) -> None:
        """See Watching."""
        self.client.delete(self.shard.viewers.frame, self.keys.version)

    def close(self) -> None:
        """End all connections."""
        for viewers in self._made:
            viewers.close()


@contextmanager
def redis_watching(client: redis.Redis) -> Iterator[RedisWatching]:
    """Through the local gateway's channel."""
    made = RedisWatching(client)
    yield made
    made.close()


@contextmanager
def api_gateway_watching(client: redis.Redis) -> Iterator[ApiGatewayWatching]:
    """Through API Gateway."""
    api = aws.Connections()
    with aws.serving(api) as url:
        made = ApiGatewayWatching(client, url, api)
        yield made
        made.close()


@contextmanager
def appsync_watching(client: redis.Redis) -> Iterator[AppSyncWatching]:
    """Through AppSync Events."""
    api = aws.EventsApi()
    with aws.serving(api) as url:
        made = AppSyncWatching(client, url, api)
        yield made
        made.close()


WAYS: dict[str, Callable[[redis.Redis], Any]] = {
    "redis": redis_watching,
    "api-gateway": api_gateway_watching,
    "appsync": appsync_watching,
}
