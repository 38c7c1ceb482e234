"""What an entry costs on boards beside `main`, in turns with an update, and how costs grow with boards and with players."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from shared.boards.definition import BoardDefinition
from shared.boards.member import member_of
from shared.container import Container
from shared.core.config import Settings
from shared.ledger.events import Number
from shared.stores.actor import Actor
from shared.stores.keys import ShardKeys
from tests.benchmarks.figures import Figure, figure
from tests.benchmarks.growth import read_of, redis_microseconds
from tests.benchmarks.load import Load, drive
from tests.support.product import Product

ROUNDS, ROUND_SECONDS, WARM_UP_SECONDS = 5, 3.0, 8.0
PERIODS = [{"name": "all_time"}, {"name": "weekly", "cron": "0 0 * * 1"}]
FORMS: dict[str, dict[str, object]] = {
    "best, two periods": {"operator": "best", "periods": PERIODS},
    "add, one period": {},
}
RATIO, REDIS_RATIO = 1.3, 1.5
PLAYER_LIMIT_BYTES, BOARD_LIMIT_BYTES = 512.0, 2048.0
FEW, MANY, FACTOR = 1, 10_000, 1.5
SMALL, LARGE, STEP = 20_000, 10_000_000, 10_000  # players who enter, and with strangers below them
LARGE_MEMORY = 12 * 2**30  # the private one has less on a machine of 24 GB


def measure(product: Product, updates: Sequence[bytes], connections: int) -> list[Figure]:
    """`updates` are requests of players on `main`."""
    pids = [product.pid("http")]

    def turn(requests: Sequence[bytes], seconds: float = ROUND_SECONDS) -> Load:
        load = drive(product.base_url, requests, pids, connections=connections, seconds=seconds)
        assert set(load.statuses) == {200}, load.statuses
        return load

    requests = {"main": list(updates)}
    with closing(Container(Settings.from_environment(product.runtime["function_env"]))) as stores:
        for place, (name, members) in enumerate(FORMS.items()):
            board_id = f"bench-{place}"
            _define(stores, board_id, members)
            requests[name] = [entry_of(update, board_id) for update in updates]
        costs: dict[str, list[float]] = {name: [] for name in requests}
        redis: dict[str, list[float]] = {name: [] for name in requests}
        with product.redis() as client:
            for each in requests.values():
                turn(each, WARM_UP_SECONDS)
            for _ in range(ROUNDS):
                for name, each in requests.items():
                    before = redis_microseconds(client)
                    load = turn(each)
                    redis[name].append((redis_microseconds(client) - before) / load.count)
                    costs[name].append(1e6 / load.per_cpu_second)
            held = _held_by_a_player(stores, client)
            growth, empty = _growth(stores, turn, requests["best, two periods"], client)
            crowded = _crowded(stores, turn, requests["add, one period"], client)
    of_main, redis_of_main = statistics.median(costs["main"]), statistics.median(redis["main"])
    return [
        *(figure(f"CPU an entry: {name}", "us", costs[name], f"{RATIO} times main's", RATIO * of_main) for name in FORMS),
        *(
            figure(f"Redis CPU an entry: {name}", "us", redis[name], f"{REDIS_RATIO} times main's", REDIS_RATIO * redis_of_main)
            for name in FORMS
        ),
        figure(f"CPU an entry, {MANY} boards to {FEW}", "ratio", growth, "limit", FACTOR),
        *(
            figure(f"{name}, {LARGE:,} players of a board to {SMALL:,}", "ratio", [ratio], "limit", FACTOR)
            for name, ratio in crowded.items()
        ),
        figure("Redis, a player in a season", "B", [held], "limit", PLAYER_LIMIT_BYTES),
        figure("Redis, a board without players", "B", [empty], "limit", BOARD_LIMIT_BYTES),
    ]


def _held_by_a_player(stores: Container, client: Any) -> float:
    """Bytes of the first board: a member with its score, and where the player's member is found."""
    [period, _] = stores.known_boards.get("bench-0").open_seasons
    keys = ShardKeys().defined("bench-0")
    scores = keys.scores(period.period, period.number)
    held = sum(client.memory_usage(key, samples=0) for key in (scores, keys.members(period.period, period.number)))
    return float(held / client.zcard(scores))


def _growth(
    stores: Container, turn: Callable[[Sequence[bytes]], Load], requests: Sequence[bytes], client: Any
) -> tuple[list[float], float]:
    """With many other boards than before, in Redis, too; and the bytes of one of these."""
    before = [turn(requests).per_cpu_second for _ in range(ROUNDS)]
    for number in range(MANY):
        board_id = f"other-{number}"
        _define(stores, board_id, {})
        stores.known_boards.get(board_id)
    after = [turn(requests).per_cpu_second for _ in range(ROUNDS)]
    return [statistics.median(before) / each for each in after], float(client.memory_usage("board:other-0", samples=0))


def _crowded(
    stores: Container, turn: Callable[[Sequence[bytes]], Load], entries: Sequence[bytes], client: Any
) -> dict[str, float]:
    """How much more CPU, of worker and Redis together, the same takes on a large board than on a small one."""
    state = stores.known_boards.get("bench-1")
    [season] = state.open_seasons
    keys = ShardKeys().defined("bench-1")
    scores, members = keys.scores(season.period, season.number), keys.members(season.period, season.number)
    users = [entry.partition(b"/scores/")[2].partition(b" ")[0] for entry in entries]
    requests = {
        "entry": entries,
        "place": [_read_of(entry, b"/" + user + b"?neighbours=5") for entry, user in zip(entries, users, strict=True)],
        "page around": [_read_of(entry, b"?around=" + user) for entry, user in zip(entries, users, strict=True)],
        "page": [_read_of(entry, b"?limit=10") for entry in entries],
        "page from rank 5,000": [_read_of(entry, b"?rank=5000") for entry in entries],
        "friends": [_friends_of(entry, users[place : place + 10]) for place, entry in enumerate(entries[:-10])],
    }

    def cost(each: Sequence[bytes]) -> float:
        before = redis_microseconds(client)
        load = turn(each)
        return 1e6 / load.per_cpu_second + (redis_microseconds(client) - before) / load.count

    client.config_set("maxmemory", LARGE_MEMORY)
    costs = []
    for size in (SMALL, LARGE):
        for first in range(client.zcard(scores), size, STEP):
            strangers = [f"stranger-{number:08d}" for number in range(first, min(first + STEP, size))]
            named = {member_of(state.definition, user, 0, Number(1, first + place)): user for place, user in enumerate(strangers)}
            with client.pipeline(transaction=False) as pipeline:
                pipeline.zadd(scores, {member: -(first + place) for place, member in enumerate(named)})
                pipeline.hset(members, mapping={user: member for member, user in named.items()})
                pipeline.execute()
        costs.append({name: statistics.median(cost(each) for _ in range(ROUNDS)) for name, each in requests.items()})
    return {name: costs[1][name] / costs[0][name] for name in requests}


def _read_of(entry: bytes, where: bytes) -> bytes:
    """A read of the board by whoever makes this entry."""
    lines = read_of(entry).split(b"\r\n")
    path = lines[0].partition(b"/scores/")[0] + b"/scores"
    return b"\r\n".join([path + where + b" HTTP/1.1", *lines[1:]])


def _friends_of(entry: bytes, users: Sequence[bytes]) -> bytes:
    """Friends by whoever makes this entry."""
    body = json.dumps({"userIds": [user.decode() for user in users]}).encode()
    lines = entry.partition(b"\r\n\r\n")[0].split(b"\r\n")
    kept = [line for line in lines[1:] if not line.lower().startswith(b"content-length")]
    path = lines[0].partition(b"/scores/")[0] + b"/scores/query HTTP/1.1"
    return b"\r\n".join([path, *kept, b"Content-Length: %d" % len(body), b"", body])


def _define(stores: Container, board_id: str, members: dict[str, object]) -> None:
    stores.boards.put(BoardDefinition.parse(board_id, {"updatesPerMinute": 1000, **members}), Actor("benchmark"))


def entry_of(update: bytes, board_id: str) -> bytes:
    """An entry on a board by whoever makes this update."""
    head, _, _ = update.partition(b"\r\n\r\n")
    body = b'{"value":1000}'
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
    lines[0] = lines[0].replace(b"/api/score/", f"/api/boards/{board_id}/scores/".encode())
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", body])
