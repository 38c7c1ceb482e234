"""Two instances on the same stores with the same keys: one scoreboard, whatever becomes of one of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.e2e.persistent_players import Players, out_of_order
from tests.lambda_runtime.deployment import Stores, private_stores
from tests.support.api import Player, frame_with
from tests.support.keys import new_keys
from tests.support.product import ROOT, Product, clean_environment, query
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("two instances"), pytest.mark.timeout(600)]
ONE_AT_A_TIME = [
    "queue:leaderboard_rebuild_queue",
    "queue:score_history_queue",
    "queue:score_updated_queue",
    "schedules",
]


@pytest.fixture(scope="module")
def stores() -> Iterator[Stores]:
    with private_stores() as running:
        yield running


@pytest.fixture(scope="module")
def environment(stores: Stores) -> dict[str, str]:
    """What both have."""
    return {**stores.environment(), **new_keys(), "RATE_LIMIT_REQUESTS": "1000000"}


@pytest.fixture(scope="module")
def first(environment: dict[str, str]) -> Iterator[Product]:
    with Product(None, **environment) as running:
        yield running


@pytest.fixture(scope="module")
def second(first: Product, environment: dict[str, str]) -> Iterator[Product]:
    with Product(None, **environment) as running:
        yield running


def holders(stores: Stores) -> dict[str, str]:
    """Who does what one does at a time."""
    rows = query(stores.owner_database_url, "SELECT name, holder FROM leases WHERE expires_at > now() AND name NOT LIKE 'inst%'")
    return dict(rows)


def consumers(stores: Stores) -> int:
    """How many consume the queue of updates, as the broker counts them."""
    import pika

    from local_runtime.hosting.queue.broker import connection_parameters

    environment = {"AMQP_URL": stores.amqp_url, "AMQP_CA_FILE": stores.ca_file}
    connection = pika.BlockingConnection(connection_parameters(environment, "/"))
    counted = connection.channel().queue_declare("score_history_queue", passive=True).method.consumer_count
    connection.close()
    return int(counted)


def taken_over(stores: Stores, instance: Product) -> bool:
    """Whether this instance does it all."""
    return holders(stores) == dict.fromkeys(ONE_AT_A_TIME, instance.runtime["instance_id"]) and consumers(stores) == 1


def receive_until_closed(viewer: ClientConnection) -> None:
    while True:
        viewer.recv(timeout=30)


def test_servers_of_ones_own_are_used_and_none_is_started(first: Product, stores: Stores) -> None:
    assert set(first.runtime["processes"]) >= {"http", "consumer", "scheduler"}
    assert not {"redis", "rabbitmq", "postgresql"} & set(first.runtime["processes"])
    player = first.api.new_player()
    assert player.score(4).status == 200
    sql = "SELECT sum(increment) FROM score_history WHERE user_id = :user_id"
    eventually(lambda: query(stores.owner_database_url, sql, user_id=player.user_id) == [[4]], 60, "the row in one's own ledger")


def test_players_and_viewers_of_both_see_one_board(first: Product, second: Product) -> None:
    here = first.api.new_player()
    there = Player(second.api, here.user_id, here.username, here.api_key, here.access_token, here.refresh_token)
    assert here.score(2).data["score"] == 2
    assert there.score(3).data["score"] == 5
    ticket = second.api.post("/api/ws-tickets", headers=there.authorization).data["ticket"]
    with (
        here.watch() as viewer,
        there.watch() as other,
        connect(first.api.websocket_url(f"/ws?ticket={ticket}"), open_timeout=60) as third,
    ):
        score = there.climb()
        for each in (viewer, other, third):
            frame_with(each, here.user_id, score, 60)
        assert second.api.request("DELETE", "/api/tokens", headers=there.authorization).status == 204
        with pytest.raises(ConnectionClosed) as closed:
            receive_until_closed(viewer)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401
    assert here.score(1).status == 401


def test_one_of_them_consumes_and_schedules(first: Product, second: Product, stores: Stores) -> None:
    eventually(lambda: sorted(holders(stores)) == ONE_AT_A_TIME, 60, "each has a holder")
    ids = {first.runtime["instance_id"], second.runtime["instance_id"]}
    assert len(ids) == 2
    assert set(holders(stores).values()) <= ids
    eventually(lambda: consumers(stores) == 1, 60, "one consumer")


def test_games_at_both_at_once_add_up_and_every_history_is_in_order(first: Product, second: Product, stores: Stores) -> None:
    def simulate(instance: Product) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "local_runtime", "simulate", "--players", "6", "--seconds", "6", "--json"]
        return subprocess.run(
            [*command, "--url", instance.base_url],
            cwd=ROOT,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    with ThreadPoolExecutor(2) as pool:
        for done in pool.map(simulate, (first, second)):
            assert done.returncode == 0, done.stdout + done.stderr
            assert json.loads(done.stdout)["wrong"] == []
    assert out_of_order(stores.owner_database_url, []) == 0


def test_one_may_be_restarted_under_load(first: Product, second: Product, stores: Stores) -> None:
    players = Players([first, second], 8)
    with players.playing():
        players.wait_for(100)
        for instance in (first, second):
            assert instance.stop(60) == 0
            players.wait_for(50)
            instance.start()
            players.move([first, second])
            players.wait_for(50)
    players.check(stores.owner_database_url, first)
    eventually(lambda: sorted(holders(stores)) == ONE_AT_A_TIME, 60, "each has a holder again")


def test_a_holder_that_ends_hands_over_at_once(first: Product, second: Product, stores: Stores) -> None:
    instances = {instance.runtime["instance_id"]: instance for instance in (first, second)}
    eventually(lambda: "schedules" in holders(stores), 60, "somebody schedules")
    ending = instances.pop(holders(stores)["schedules"])
    assert ending.stop(60) == 0
    try:
        [staying] = instances.values()
        eventually(lambda: taken_over(stores, staying), 60, "the other one does it all")
        for name in ("consumer", "scheduler"):
            log = (ending.data_dir / "logs" / f"{name}.log").read_text()
            assert "expire by themselves" not in log
    finally:
        ending.start()


def test_a_killed_instance_loses_nothing_and_the_other_takes_over(first: Product, second: Product, stores: Stores) -> None:
    """Whichever of them holds the leases: all of its processes at once."""
    instances = {instance.runtime["instance_id"]: instance for instance in (first, second)}
    eventually(lambda: sorted(holders(stores)) == ONE_AT_A_TIME, 60, "each has a holder")
    killed = instances.pop(holders(stores)["queue:score_history_queue"])
    [staying] = instances.values()
    players = Players([first, second], 8)
    with players.playing():
        players.wait_for(100)
        assert killed.process is not None
        for pid in (killed.process.pid, *killed.children()):
            os.kill(pid, signal.SIGKILL)
        killed.process.wait()
        players.wait_for(100)
        eventually(lambda: taken_over(stores, staying), 60, "the other one does it all")
        players.wait_for(50)
    # What the killed one had accepted and not published is recorded behind what came later: the relay finds it within a minute.
    players.check(stores.owner_database_url, staying, in_order=False)
    leader = players.players[players.points.index(max(players.points))]
    leader.api = staying.api
    with leader.watch() as viewer:
        frame_with(viewer, leader.user_id, leader.score(5).data["score"], 60)
    killed.start()


def test_an_instance_with_another_number_of_queues_is_refused(
    first: Product, second: Product, environment: dict[str, str]
) -> None:
    third = Product(None, HISTORY_QUEUES="4", **environment)
    try:
        with pytest.raises(AssertionError, match="HISTORY_QUEUES is 4 here and 1 there"):
            third.start()
    finally:
        third.destroy()
