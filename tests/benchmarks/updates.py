"""The update path, complete, against the same work in the usual stacks: in turns on the same stores, medians over the rounds.

What counts is answers a CPU second of the HTTP processes: it says what a machine carries, and hardly depends on what else it is
doing. Everybody plays: 20,000 players, 64 connections, every answer a 200.
"""

from __future__ import annotations

import statistics
import uuid
from collections.abc import Iterable, Sequence
from contextlib import ExitStack

from shared.container import Container
from shared.core.config import Settings
from shared.reconciliation.rebuild_leaderboard import pages
from tests.benchmarks.figures import Figure, figure
from tests.benchmarks.load import Load, drive
from tests.benchmarks.peers import running
from tests.support.product import Product

PLAYERS = 20_000
CONNECTIONS = 64
ROUNDS = 5
ROUND_SECONDS = 3.0
WARM_UP_SECONDS = 10.0
FLASK_RATIO, FASTAPI_RATIO = 8.0, 6.0
_USERS = """
INSERT INTO users (user_id, username, hashed_password, api_key, role)
SELECT id, 'Load-' || id, 'hash', md5(id) || md5('x' || id), 'player' FROM unnest(CAST(:ids AS text[])) AS id
"""


def measure(product: Product, requests: list[bytes]) -> list[Figure]:
    """Updates and reads a CPU second, ours and the peers', and latencies at half of the load that saturates us."""
    host = product.base_url.partition("//")[2]
    top = [f"GET /api/scores HTTP/1.1\r\nHost: {host}\r\n{_authorization(requests[0])}\r\n\r\n".encode()]
    found: dict[str, list[Load]] = {}
    with ExitStack() as stack:
        for _ in range(2):  # every worker has met every player
            drive(product.base_url, requests, [product.pid("http")], connections=CONNECTIONS, seconds=WARM_UP_SECONDS)
        peers = {name: stack.enter_context(running.running(name, product)) for name in running.COMMANDS}
        for turn in range(ROUNDS + 1):
            rounds = {"ours": _drive(product.base_url, requests, product.pid("http"))}
            rounds |= {name: _drive(peer.base_url, requests, peer.pid) for name, peer in peers.items()}
            rounds["top"] = _drive(product.base_url, top, product.pid("http"))
            for name, load in rounds.items():
                if turn:  # the first one warms up
                    found.setdefault(name, []).append(load)
    half = statistics.median(load.per_second for load in found["ours"]) / 2
    calm = [
        drive(product.base_url, requests, [product.pid("http")], connections=CONNECTIONS, seconds=ROUND_SECONDS, rate=half)
        for _ in range(ROUNDS)
    ]
    ours = [load.per_cpu_second for load in found["ours"]]
    flask, fastapi = (statistics.median(load.per_cpu_second for load in found[name]) for name in running.COMMANDS)
    return [
        figure("updates a CPU second", "1/s", ours, "Flask, gunicorn gevent", flask),
        figure("updates a CPU second", "1/s", ours, "FastAPI, uvicorn", fastapi),
        figure("updates a CPU second", "1/s", ours, "limit", 20_000.0),
        figure("updates a second", "1/s", [load.per_second for load in found["ours"]], "limit", 9_000.0),
        figure("update at half of that load, p99", "s", [load.percentile(99) for load in calm], "limit", 0.010),
        figure("update at half of that load, longest", "s", [load.latencies[-1] for load in calm], "limit", 0.050),
        figure("GET /api/scores a CPU second", "1/s", [load.per_cpu_second for load in found["top"]], "limit", 60_000.0),
    ]


def crowd(product: Product, players: int = PLAYERS) -> list[bytes]:
    """Players with a token each; an update of everybody, ready to be sent."""
    stores = Container(Settings.from_environment(product.runtime["function_env"]))
    ids = [f"load-{uuid.uuid4().hex[:24]}" for _ in range(players)]
    for first in range(0, players, 5000):
        product.query(_USERS, ids=ids[first : first + 5000])
    profiles = stores.users.profiles(ids)
    with product.redis() as client:
        client.delete("leaderboard:whole", "leaderboard")
        stores.leaderboard.rebuild(pages(stores.reconciliations), stores.hidden_players.pages_of_main())
        stores.profiles.put_many(profiles.values())
        with client.pipeline(transaction=False) as pipeline:
            for user_id in ids:
                pipeline.persist(f"user:{user_id}:profile")
            pipeline.execute()
    updates = _updates_of(ids, product, stores)
    stores.close()
    return updates


def with_new_tokens(product: Product, requests: Sequence[bytes]) -> list[bytes]:
    """The same updates; tokens live for 15 minutes."""
    stores = Container(Settings.from_environment(product.runtime["function_env"]))
    updates = _updates_of(map(user_of, requests), product, stores)
    stores.close()
    return updates


def _updates_of(ids: Iterable[str], product: Product, stores: Container) -> list[bytes]:
    host, now = product.base_url.partition("//")[2], stores.clock.now()
    return [_update(host, user_id, stores.access_tokens.issue(user_id, "player", now, str(uuid.uuid4()))[0]) for user_id in ids]


def _drive(base_url: str, requests: list[bytes], pid: int) -> Load:
    load = drive(base_url, requests, [pid], connections=CONNECTIONS, seconds=ROUND_SECONDS)
    assert set(load.statuses) == {200}, load.statuses
    return load


def _update(host: str, user_id: str, token: str) -> bytes:
    body = '{"increment":1}'
    lines = [
        f"POST /api/score/{user_id} HTTP/1.1",
        f"Host: {host}",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def user_of(update: bytes) -> str:
    """Whose update this is."""
    return update.split(b" ", 2)[1].rpartition(b"/")[2].decode()


def _authorization(request: bytes) -> str:
    return next(line.decode() for line in request.split(b"\r\n") if line.startswith(b"Authorization"))
