"""What an entry costs on boards beside `main`, in turns with an update, how it grows with their number, and what they hold."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from shared.boards.definition import BoardDefinition
from shared.container import Container
from shared.core.config import Settings
from shared.stores.actor import Actor
from shared.stores.keys import ShardKeys
from tests.benchmarks.figures import Figure, figure
from tests.benchmarks.growth import redis_microseconds
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
Drive = Callable[[Sequence[bytes]], Load]


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
    of_main, redis_of_main = statistics.median(costs["main"]), statistics.median(redis["main"])
    return [
        *(figure(f"CPU an entry: {name}", "us", costs[name], f"{RATIO} times main's", RATIO * of_main) for name in FORMS),
        *(
            figure(f"Redis CPU an entry: {name}", "us", redis[name], f"{REDIS_RATIO} times main's", REDIS_RATIO * redis_of_main)
            for name in FORMS
        ),
        figure(f"CPU an entry, {MANY} boards to {FEW}", "ratio", growth, "limit", FACTOR),
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


def _define(stores: Container, board_id: str, members: dict[str, object]) -> None:
    stores.boards.put(BoardDefinition.parse(board_id, {"updatesPerMinute": 1000, **members}), Actor("benchmark"))


def entry_of(update: bytes, board_id: str) -> bytes:
    """An entry on a board by whoever makes this update."""
    head, _, _ = update.partition(b"\r\n\r\n")
    body = b'{"value":1000}'
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
    lines[0] = lines[0].replace(b"/api/score/", f"/api/boards/{board_id}/scores/".encode())
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", body])
