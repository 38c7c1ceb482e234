"""Stores that answer and can no longer do the work: /readyz says so, and all ends in health by itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pika
import pytest

from local_runtime.hosting.queue.broker import connection_parameters
from local_runtime.instance.supervisor.tree import descendants
from tests.support.api import Player, frame_with
from tests.support.product import Product
from tests.support.redis_pair import redis_pair
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("store outages"), pytest.mark.timeout(600)]
SECONDS = 100.0
QUEUES = (
    "score_history_queue",
    "score_updated_queue",
    "leaderboard_rebuild_queue",
    "score_history_queue.retry",
    "score_history_queue.retry.2",
    "score_history_queue.retry.3",
    "score_history_queue.dlq",
)


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    """A product of this module's own, for it is handled roughly; no schedule can be what mends it."""
    with Product() as running:
        os.kill(running.pid("scheduler"), signal.SIGSTOP)
        yield running
        os.kill(running.pid("scheduler"), signal.SIGCONT)


@pytest.fixture
def player(product: Product) -> Player:
    return product.api.new_player()


def recorded(product: Product, player: Player) -> int:
    [[points]] = product.query("SELECT coalesce(sum(increment), 0) FROM score_history WHERE user_id = :u", u=player.user_id)
    return int(points)


def readiness(product: Product) -> dict[str, Any]:
    document: dict[str, Any] = product.api.get("/readyz").json["data"]
    return document


def lost(product: Product) -> dict[str, str]:
    return {name: one["reason"] for name, one in readiness(product)["capabilities"].items() if not one["ok"]}


@contextmanager
def channel(product: Product) -> Iterator[Any]:
    runtime = product.runtime
    environment = {"AMQP_URL": runtime["amqp_url"], "AMQP_CA_FILE": runtime["ca_file"]}
    connection = pika.BlockingConnection(connection_parameters(environment, "/"))
    try:
        yield connection.channel()
    finally:
        connection.close()


def exists(product: Product, queue: str) -> bool:
    with channel(product) as asking:
        try:
            asking.queue_declare(queue, passive=True)
        except pika.exceptions.ChannelClosedByBroker:
            return False
    return True


@contextmanager
def stopped_database(product: Product) -> Iterator[None]:
    """PostgreSQL keeps its connections, and says nothing."""
    processes = (product.pid("postgresql"), *descendants(product.pid("postgresql")))
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def scores(player: Player, increment: int) -> bool:
    """Whether an update was accepted; an answer that never came is none."""
    try:
        return bool(player.score(increment).status == 200)
    except OSError:
        return False


@pytest.mark.parametrize("queue", QUEUES)
def test_a_deleted_queue_is_back_without_any_update(product: Product, queue: str) -> None:
    with channel(product) as deleting:
        deleting.queue_delete(queue)
    eventually(lambda: exists(product, queue), SECONDS, f"{queue} declared again")
    eventually(product.is_ready, SECONDS, "consumed again")


def test_updates_go_on_while_queues_are_deleted_and_all_are_recorded_and_seen(product: Product, player: Player) -> None:
    points = 0
    with player.watch() as viewer:
        for queue in QUEUES:
            with channel(product) as deleting:
                deleting.queue_delete(queue)
            for _ in range(3):
                points += player.score(1).data["increment"]
        score = player.standing()["score"]
        assert score == points
        eventually(lambda: recorded(product, player) == points, SECONDS, "all of them in the ledger")
        frame_with(viewer, player.user_id, points, SECONDS)
    eventually(product.is_ready, SECONDS, "all of it well")


def test_a_broker_that_comes_back_empty_is_filled_and_used(product: Product, player: Player) -> None:
    assert player.score(5).status == 200
    eventually(lambda: recorded(product, player) == 5, SECONDS, "the first update")
    directory = product.data_dir / "rabbitmq"
    [mnesia] = [path for path in directory.iterdir() if path.name == "mnesia"]
    old_pid = product.pid("rabbitmq")
    os.kill(old_pid, signal.SIGSTOP)
    mnesia.rename(directory / "gone")
    os.kill(old_pid, signal.SIGKILL)
    product.wait_replaced("rabbitmq", old_pid)
    assert player.score(3).status == 200
    eventually(lambda: recorded(product, player) == 8, SECONDS, "the update that came meanwhile")
    eventually(product.is_ready, SECONDS, "all of it well")


def test_a_broker_that_hangs_keeps_nobody_waiting_and_is_used_when_it_goes_on(product: Product, player: Player) -> None:
    pid = product.pid("rabbitmq")
    os.kill(pid, signal.SIGSTOP)
    try:
        assert player.score(2).status == 200
        eventually(lambda: {"record", "broadcast"} <= lost(product).keys(), SECONDS, "told")
        assert readiness(product)["capabilities"]["acceptUpdates"] == {"ok": True}
        assert player.score(2).status == 200
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: recorded(product, player) == 4, SECONDS, "both in the ledger")
    eventually(product.is_ready, SECONDS, "all of it well")


def test_a_full_redis_is_told_and_over_when_it_has_room(product: Product, player: Player) -> None:
    with product.redis() as client:
        before = client.config_get("maxmemory")["maxmemory"]
        client.config_set("maxmemory", 1)
        try:
            assert player.score(1).status == 503
            eventually(lambda: lost(product).get("acceptUpdates") == "Redis is full (maxmemory)", SECONDS, "told")
            # Each worker of the HTTP process finds out for itself.
            eventually(lambda: product.api.get("/readyz").status == 503, SECONDS, "503")
            assert product.is_alive(), "/healthz asks no store"
        finally:
            client.config_set("maxmemory", before)
    eventually(lambda: scores(player, 1), SECONDS, "an update")
    eventually(product.is_ready, SECONDS, "all of it well")


def test_a_stopped_database_is_told_and_updates_go_on(product: Product, player: Player) -> None:
    assert player.score(1).status == 200
    with stopped_database(product):
        eventually(lambda: {"record", "logIn"} <= lost(product).keys(), SECONDS, "told")
        assert product.api.get("/readyz").status == 200
        assert player.score(1).status == 200
    eventually(lambda: recorded(product, player) == 2, SECONDS, "both in the ledger")
    eventually(product.is_ready, SECONDS, "all of it well")


def test_updates_with_keys_go_on_without_a_database_in_a_new_installation_that_was_restarted() -> None:
    with Product() as product:
        player = product.api.new_player()
        first = player.score(2, **{"Idempotency-Key": "first"})
        eventually(lambda: recorded(product, player) == 2, SECONDS, "in the ledger")
        product.stop()
        product.start()
        player = replace(player, api=product.api)
        product.invoke("rebuild_leaderboard")
        assert player.score(1).status == 200
        with stopped_database(product):
            assert player.score(3, **{"Idempotency-Key": "new"}).status == 200
            again = player.score(2, **{"Idempotency-Key": "first"})
            assert (again.status, again.data["score"]) == (200, first.data["score"])
        eventually(lambda: recorded(product, player) == 6, SECONDS, "each once in the ledger")


def test_after_a_failover_of_redis_updates_and_viewers_go_on(tmp_path: Path) -> None:
    """Behind an address that leads to the promoted server, while the old one stays and refuses every write."""
    with redis_pair(tmp_path) as pair, Product(REDIS_URL=pair.url) as product:
        player = product.api.new_player()
        with player.watch() as viewer:
            assert player.score(5).status == 200
            frame_with(viewer, player.user_id, 5, SECONDS)
            pair.fail_over()
            accepted = 5

            def goes_on() -> bool:
                nonlocal accepted
                is_accepted = scores(player, 1)
                accepted += is_accepted
                return is_accepted

            eventually(goes_on, SECONDS, "an update at the promoted server")
            for _ in range(20):
                eventually(goes_on, SECONDS, "another one")
            frame_with(viewer, player.user_id, accepted, SECONDS)
        assert pair.second.zscore("leaderboard", f"user:{player.user_id}") == accepted
        eventually(lambda: recorded(product, player) == accepted, SECONDS, "all of them in the ledger")
        eventually(product.is_ready, SECONDS, "all of it well")
