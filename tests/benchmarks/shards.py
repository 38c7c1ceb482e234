"""What entries cost when their boards are in 1, 2 or 4 shards, each a Redis of its own, in turns."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import redis

from local_runtime.instance.servers.redis import PrivateRedis
from local_runtime.instance.servers.run import running
from shared.boards.definition import BoardDefinition
from shared.container import Container
from shared.core.config import Settings
from shared.stores.actor import Actor
from tests.benchmarks.boards import entry_of
from tests.benchmarks.figures import Figure, figure
from tests.benchmarks.growth import redis_microseconds
from tests.benchmarks.load import Load, drive
from tests.benchmarks.updates import CONNECTIONS, crowd
from tests.support.product import Product

ROUNDS, ROUND_SECONDS, WARM_UP_SECONDS = 5, 3.0, 5.0
SHARDS = ("main", "one", "two", "three")
SPREADS = (1, 2, 4)
PROFILES_AT_ONCE = 1000
COST_FACTOR, SHARE_FACTOR = 1.15, 1.4  # an entry costs no more; the busiest Redis has its share of the work


def measure() -> list[Figure]:
    """Four boards over so many shards. The one worker is what is busy here; the Redis servers could bear more."""
    with _servers() as urls:
        shards = " ".join(f"{name}={url}" for name, url in zip(SHARDS[1:], urls, strict=True))
        options = {"RATE_LIMIT_REQUESTS": "1000000", "REDIS_SHARDS": shards}
        with Product(None, "--workers", "1", **options) as product, ExitStack() as stack:
            clients = [stack.enter_context(closing(redis.Redis.from_url(url))) for url in (_first(product), *urls)]
            return _compare(product, clients)


def _compare(product: Product, clients: Sequence[redis.Redis]) -> list[Figure]:
    updates = crowd(product)
    _keep_profiles(product, updates, clients)
    requests = {spread: _spread(product, updates, spread) for spread in SPREADS}
    for each in requests.values():
        _turn(product, each, WARM_UP_SECONDS)
    rates: dict[int, list[float]] = {spread: [] for spread in SPREADS}
    costs: dict[int, list[float]] = {spread: [] for spread in SPREADS}
    busiest: dict[int, list[float]] = {spread: [] for spread in SPREADS}
    for _ in range(ROUNDS):
        for spread, each in requests.items():
            before = [redis_microseconds(client) for client in clients]
            load = _turn(product, each, ROUND_SECONDS)
            used = [redis_microseconds(client) - earlier for client, earlier in zip(clients, before, strict=True)]
            rates[spread].append(load.per_second)
            costs[spread].append(1e6 / load.per_cpu_second)
            busiest[spread].append(max(used) / load.count)
    rate, cost, share = (statistics.median(found[1]) for found in (rates, costs, busiest))
    return [
        *(figure(f"entries a second, {spread} shards", "1/s", rates[spread], "one shard's", rate) for spread in SPREADS),
        *(
            figure(f"CPU an entry, {spread} shards", "us", costs[spread], f"{COST_FACTOR} times one shard's", COST_FACTOR * cost)
            for spread in SPREADS
        ),
        *(
            figure(
                f"CPU of the busiest Redis an entry, {spread} shards",
                "us",
                busiest[spread],
                f"{SHARE_FACTOR} times its share",
                SHARE_FACTOR * share / spread,
            )
            for spread in SPREADS
        ),
    ]


def _turn(product: Product, requests: Sequence[bytes], seconds: float) -> Load:
    load = drive(product.base_url, requests, [product.pid("http")], connections=CONNECTIONS, seconds=seconds)
    assert set(load.statuses) == {200}, load.statuses
    return load


def _spread(product: Product, updates: Sequence[bytes], spread: int) -> list[bytes]:
    """Entries on four boards in turn, which are in the first so many shards."""
    boards = [f"bench-{spread}-{number}" for number in range(len(SHARDS))]
    with closing(Container(Settings.from_environment(product.runtime["function_env"]))) as stores:
        for number, board_id in enumerate(boards):
            definition = BoardDefinition.parse(board_id, {"updatesPerMinute": 1000})
            stores.shards.named(SHARDS[number % spread]).boards.put(definition, Actor("benchmark"))
    return [entry_of(update, boards[place % len(boards)]) for place, update in enumerate(updates)]


def _keep_profiles(product: Product, updates: Sequence[bytes], clients: Sequence[redis.Redis]) -> None:
    """In the further shards as `crowd` does in the first: the database is not what is measured."""
    ids = [update.partition(b"/api/score/")[2].partition(b" ")[0].decode() for update in updates]
    with closing(Container(Settings.from_environment(product.runtime["function_env"]))) as stores:
        for shard, client in zip(stores.further_shards, clients[1:], strict=True):
            for first in range(0, len(ids), PROFILES_AT_ONCE):
                some = ids[first : first + PROFILES_AT_ONCE]
                shard.profiles.put_many(stores.users.profiles(some).values())
                with client.pipeline(transaction=False) as pipeline:
                    for user_id in some:
                        pipeline.persist(f"user:{user_id}:profile")
                    pipeline.execute()


def _first(product: Product) -> str:
    return str(product.runtime["redis_url"])


@contextmanager
def _servers() -> Iterator[list[str]]:
    with TemporaryDirectory(prefix="scoreboard-shards-") as directory, ExitStack() as stack:
        servers = [PrivateRedis(Path(directory) / name, name) for name in SHARDS[1:]]
        yield [stack.enter_context(running(server)).url for server in servers]
