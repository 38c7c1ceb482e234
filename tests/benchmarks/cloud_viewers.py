"""How old what viewers see is when AWS holds their sockets: the real adapters and a real Redis, a simulated AWS, virtual time.

`python -m tests.benchmarks.cloud_viewers`. The quotas are those AWS documents: 10,000 requests a second of an account, in bursts
of 5,000, shared by the HTTP API and posts to connections; 500 new connections a second; AppSync Events 1,000,000 outbound
messages a second. The board changes all the time; the HTTP API takes its part of the requests.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import redis

from local_runtime.instance.servers.redis import PrivateRedis
from local_runtime.instance.servers.run import running
from shared.boards.board import MAIN
from shared.boards.ranking import Standing
from shared.stores.keys import ShardKeys
from shared.stores.redis.connection import connect
from shared.viewers.api_gateway import ApiGatewayViewers
from shared.viewers.appsync import AppSyncViewers, EventsApi
from shared.viewers.connections_redis import Connections, Quota
from shared.viewers.frames_redis import Frames
from shared.viewers.management_api import ManagementApi
from shared.viewers.posts import CHUNK
from shared.viewers.subscriptions_redis import Subscriptions
from tests.benchmarks.figures import Figure, figure, table
from tests.support.product import new_data_dir, remove_data_dir

CROWDS = (1_000, 10_000, 100_000)
ACCOUNT_REQUESTS, ACCOUNT_BURST = 10_000, 5_000
CONNECTIONS_PER_SECOND = 500
APPSYNC_MESSAGES = 1_000_000
SHARE = 5_000
# Measured with this code: what one process sends, and what it takes several to.
ONE_SENDER, SEVERAL_SENDERS = 2_400, 9_600
API_REQUESTS, BUSY_API_REQUESTS = 2_000, 6_500
GONE_SHARE = 0.01
POST_MEDIAN_SECONDS, POST_SPREAD = 0.012, 0.6
PUBLISH_SECONDS = 0.030
FRESH_SECONDS = 1.0
SAMPLES, SAMPLED = 200, 500
START = datetime(2026, 1, 1, tzinfo=UTC)


_LIMIT = f"""
One WebSocket API with {SHARE:,} of the {ACCOUNT_REQUESTS:,} requests a second tells {SHARE:,} viewers a second: ten frames a
second reach {SHARE // 10:,} viewers, a frame a second {SHARE:,}, and {CROWDS[-1]:,} see one in {CROWDS[-1] // SHARE} s and need
{CROWDS[-1] // CONNECTIONS_PER_SECOND} s to connect at all. For more than a few thousand viewers: AppSync Events."""


@dataclass(slots=True)
class World:
    """Virtual time, the board's clock, and what each viewer has seen last: the instant its board was read, in seconds."""

    seen_at: dict[str, float] = field(default_factory=dict)
    joined_at: dict[str, float] = field(default_factory=dict)
    first_seconds: list[float] = field(default_factory=list)
    seconds: float = 1.0
    chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - the same each time
    ages: list[float] = field(default_factory=list)
    measuring: bool = False
    _next_sample: float = 0.0

    def milliseconds(self) -> int:
        """For the scripts of Redis."""
        return int(self.seconds * 1000)

    def monotonic(self) -> float:
        """For deadlines."""
        return self.seconds

    def pass_time(self, seconds: float) -> None:
        """For sleeping, too."""
        self.seconds += seconds
        if self.measuring and self.seconds >= self._next_sample and self.seen_at:
            self._next_sample = self.seconds + 0.05
            viewers = self.chance.choices(list(self.seen_at), k=SAMPLED) if len(self.seen_at) > SAMPLED else self.seen_at
            self.ages += [self.seconds - self.seen_at[viewer] for viewer in viewers]

    def read_board(self) -> tuple[Sequence[Standing], datetime]:
        """A board that is never the same twice."""
        score = int(self.seconds * 1000)
        return [Standing(f"player-{n}", f"player-{n}", f"Player {n}", n, score) for n in range(1, 11)], START + timedelta(
            seconds=self.seconds
        )

    def arrives(self, viewer: str, read_at: float, seconds: float) -> None:
        """A frame with a board of `read_at` is at a viewer's in so many seconds."""
        if viewer in self.joined_at:
            self.first_seconds.append(self.seconds + seconds - self.joined_at.pop(viewer))
        self.seen_at[viewer] = max(self.seen_at.get(viewer, 0.0), read_at - seconds)


def read_at(text: str) -> float:
    """When the board of a frame was read: its score is that instant."""
    return int(text.partition('"score":')[2].partition("}")[0]) / 1000


class SimulatedGateway(ManagementApi):
    """The @connections API for senders who together make `posts_per_second`; a chunk's posts overlap with the next one's."""

    def __init__(self, world: World, posts_per_second: int, api_requests: int) -> None:
        self._world = world
        self._rate = posts_per_second
        self._api_requests = api_requests
        self._tokens, self._at = float(ACCOUNT_BURST), world.seconds
        self.gone: set[str] = set()
        self.posts = self.throttled = 0

    def post_to_all(self, connection_ids: Sequence[str], text: bytes, seconds: float) -> list[int]:
        """The status of each post."""
        statuses, of = [], read_at(text.decode())
        for number, viewer in enumerate(connection_ids):
            status = self._status(viewer, self._world.seconds + number / self._rate)
            if status == 200:
                latency = self._world.chance.lognormvariate(0, POST_SPREAD) * POST_MEDIAN_SECONDS
                self._world.arrives(viewer, of, number / self._rate + latency)
            statuses.append(status)
        self._world.pass_time(len(connection_ids) / self._rate)
        return statuses

    def _status(self, viewer: str, at: float) -> int:
        left_over = ACCOUNT_REQUESTS - self._api_requests
        self._tokens = min(self._tokens + (at - self._at) * left_over, ACCOUNT_BURST)
        self._at = at
        if self._tokens < 1:
            self.throttled += 1
            return 429
        self._tokens -= 1
        self.posts += 1
        return 410 if viewer in self.gone else 200

    def close_all(self, connection_ids: Sequence[str], seconds: float) -> list[int]:
        """Nobody's session ends here."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing to end."""


class SimulatedEvents(EventsApi):
    """The publish API of AppSync Events, and its way to all subscribers within its quota of outbound messages."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._free_at = world.seconds
        self.posts = 0

    def publish(self, text: str) -> int:
        """The status."""
        world, of = self._world, read_at(text)
        world.pass_time(PUBLISH_SECONDS * world.chance.lognormvariate(0, POST_SPREAD / 2))
        begins = max(self._free_at, world.seconds)
        for number, viewer in enumerate(world.seen_at):
            latency = world.chance.lognormvariate(0, POST_SPREAD) * POST_MEDIAN_SECONDS
            world.arrives(viewer, of, begins - world.seconds + number / APPSYNC_MESSAGES + latency)
        self._free_at = begins + len(world.seen_at) / APPSYNC_MESSAGES
        self.posts += 1
        return 200

    def close(self) -> None:
        """Nothing to end."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a crowd saw."""

    way: str
    viewers: int
    ages: list[float]
    first_seconds: list[float]
    requests_per_second: float
    throttled: int


def through_api_gateway(client: redis.Redis, crowd: int, posts_per_second: int, api_requests: int, way: str) -> Outcome:
    """The crowd comes as fast as AWS lets it; then it is measured for as long as everybody takes a few turns."""
    world = World()
    random.seed(7)
    shard = ShardKeys(f"{{{secrets.token_hex(6)}}}:")
    gateway = SimulatedGateway(world, posts_per_second, api_requests)
    connections = Connections(client, shard, Quota(SHARE, max(SHARE // 5, CHUNK)), now=world.milliseconds)
    subscriptions = Subscriptions(client, shard, now=world.milliseconds)
    frames = Frames(client, MAIN.keys(shard), shard, now=world.milliseconds, sleep=world.pass_time)
    began, joined = world.seconds, 0
    while joined < crowd:
        while joined < min(crowd, (world.seconds - began) * CONNECTIONS_PER_SECOND + 1):
            viewer = f"viewer-{joined}"
            connections.add(viewer, START + timedelta(hours=2))
            world.joined_at[viewer] = began + joined / CONNECTIONS_PER_SECOND
            if world.chance.random() < GONE_SHARE:
                gateway.gone.add(viewer)
            joined += 1
        _broadcast(world, frames, connections, subscriptions, gateway, 0.3)
        world.seconds = max(world.seconds, began + joined / CONNECTIONS_PER_SECOND)
    turn = crowd / min(posts_per_second, SHARE)
    _broadcast(world, frames, connections, subscriptions, gateway, 6 + turn)
    world.measuring, posts, began = True, gateway.posts, world.seconds
    _broadcast(world, frames, connections, subscriptions, gateway, max(5.0, 2 * turn))
    rate = (gateway.posts - posts) / (world.seconds - began)
    client.delete(*client.scan_iter(f"{shard.prefix}*", 1000))
    return Outcome(way, crowd, world.ages, world.first_seconds, rate, gateway.throttled)


def _broadcast(
    world: World,
    frames: Frames,
    connections: Connections,
    subscriptions: Subscriptions,
    gateway: SimulatedGateway,
    seconds: float,
) -> None:
    viewers = ApiGatewayViewers(
        frames,
        connections,
        subscriptions,
        gateway,
        lanes=1,
        seconds=seconds,
        monotonic=world.monotonic,
        sleep=world.pass_time,
    )
    viewers.broadcast(world.read_board)


def through_appsync(client: redis.Redis, crowd: int) -> Outcome:
    """All are subscribed; newcomers have the board by HTTP."""
    world = World(seen_at=dict.fromkeys((f"viewer-{number}" for number in range(crowd)), 0.0))
    shard = ShardKeys(f"{{{secrets.token_hex(6)}}}:")
    events = SimulatedEvents(world)
    frames = Frames(client, MAIN.keys(shard), shard, now=world.milliseconds, sleep=world.pass_time)
    viewers = AppSyncViewers(frames, events, monotonic=world.monotonic, sleep=world.pass_time)
    viewers.broadcast(world.read_board)
    world.measuring, posts, began = True, events.posts, world.seconds
    while world.seconds - began < 5:
        viewers.broadcast(world.read_board)
    client.delete(*client.scan_iter(f"{shard.prefix}*", 1000))
    return Outcome("AppSync Events", crowd, world.ages, [], (events.posts - posts) / (world.seconds - began), 0)


def simulate(crowds: Sequence[int] = CROWDS) -> list[Outcome]:
    """Each crowd through each way."""
    data_dir = new_data_dir()
    data_dir.mkdir(mode=0o711)
    outcomes = []
    try:
        with running(PrivateRedis(data_dir, secrets.token_hex(16))) as server:
            client = connect(server.url)
            for crowd in crowds:
                outcomes += [
                    through_api_gateway(client, crowd, ONE_SENDER, API_REQUESTS, "API Gateway, one sender"),
                    through_api_gateway(client, crowd, SEVERAL_SENDERS, API_REQUESTS, "API Gateway, its share of the quota"),
                    through_appsync(client, crowd),
                ]
            busy = through_api_gateway(client, crowds[0], SEVERAL_SENDERS, BUSY_API_REQUESTS, "the same, a busy HTTP API")
            outcomes.append(busy)
            client.close()
    finally:
        remove_data_dir(data_dir)
    return outcomes


def measure(crowds: Sequence[int] = CROWDS) -> list[Figure]:
    """The age of what a viewer sees."""
    return [
        figure(f"age of what {each.viewers:,} viewers see: {each.way}", "s (virtual)", each.ages, "fresh", FRESH_SECONDS)
        for each in simulate(crowds)
    ]


def main() -> None:
    """The figures, what they cost, and where the limit is."""
    outcomes = simulate()
    lines = [
        figure(f"{each.viewers:,} viewers, {each.way}", "s (virtual)", each.ages, "fresh", FRESH_SECONDS) for each in outcomes
    ]
    print(table(lines))  # noqa: T201 - a command's output
    for each in outcomes:
        first = figure("", "s", each.first_seconds or [0.0], "fresh", FRESH_SECONDS)
        newcomers = f"a newcomer's first frame after {first.median:.2f} s, p99 {first.p99:.2f} s; " if each.first_seconds else ""
        told = f"{each.requests_per_second:,.0f} requests/s, {each.throttled:,} times 429"
        print(f"{each.viewers:,} viewers, {each.way}: {newcomers}{told}")  # noqa: T201 - a command's output
    print(_LIMIT)  # noqa: T201 - a command's output


if __name__ == "__main__":
    main()
