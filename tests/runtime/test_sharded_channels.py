"""On a Redis Cluster frames stay at the nodes of their hash slot, and the gateway listens there, wherever the slot moves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis

from local_runtime.gateway.websocket.subscriber import Subscriber
from local_runtime.gateway.websocket.views import Views
from shared.boards.board import MAIN
from shared.boards.ranking import Standing
from shared.core.errors import RedisUnavailable
from shared.core.redis_url import RedisUrl
from shared.stores.keys import ShardKeys
from shared.stores.redis.connection import connect
from shared.viewers.frame import version_in
from shared.viewers.gateway_redis import RedisViewers
from tests.support.redis_cluster import PASSWORD, RedisCluster, port_of, redis_cluster
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(600)
PREFIX, CHANNEL = "{board}:", "{board}:frames"
AS_OF = datetime(2026, 11, 30, tzinfo=UTC)


class Heard:
    """What a gateway has got, and who sends it."""

    def __init__(self, cluster: RedisCluster, client: redis.Redis) -> None:
        self.cluster = cluster
        self.frames: list[bytes] = []
        self.dismissals: list[bytes] = []
        publish = RedisUrl.parse(cluster.url, key=PREFIX).publish
        self.viewers = RedisViewers(client, MAIN.keys(ShardKeys(PREFIX)), CHANNEL, publish)
        self.subscriber = Subscriber(
            cluster.url, CHANNEL, self.frames.append, self.dismissals.append, lambda _: None, Views(0.1, lambda *_: None)
        )

    def listen(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            with suppress(redis.RedisError, OSError):
                self.subscriber._listen()
            stopping.wait(0.1)

    def send(self) -> int:
        """A new version of the board."""
        return self.viewers.broadcast(lambda: ([Standing("u-1", "one", "One", 1, 5)], AS_OF), AS_OF).version

    def arrives(self, version: int) -> bool:
        return version in [version_in(frame.decode()) for frame in self.frames]


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[Heard]:
    stopping = threading.Event()
    with redis_cluster(tmp_path, PREFIX) as cluster, connect(cluster.url, key_prefix=PREFIX) as client:
        made = Heard(cluster, client)
        thread = threading.Thread(target=made.listen, args=(stopping,))
        thread.start()
        eventually(lambda: listeners(cluster.primary) == 1, 60, "the subscription")
        yield made
        stopping.set()
        for node in (cluster.primary, cluster.replica, *cluster.others):
            cluster.kill(node)
        thread.join(60)
        assert not thread.is_alive()


def listeners(node: Any) -> int:
    """How many listen there to the sharded channel."""
    return int(node.execute_command("PUBSUB", "SHARDNUMSUB", CHANNEL)[1])


def sent_over_the_bus(node: Any, kind: str) -> int:
    return int(node.execute_command("CLUSTER INFO").get(f"cluster_stats_messages_{kind}_sent", 0))


def test_a_frame_goes_to_the_nodes_of_its_slot_and_to_no_other(heard: Heard) -> None:
    versions = [heard.send() for _ in range(5)]
    eventually(lambda: heard.arrives(versions[-1]), 60, "the frames")
    assert all(map(heard.arrives, versions))
    primary = heard.cluster.primary
    # Each is a frame and when its update was accepted, to the replica alone.
    assert (sent_over_the_bus(primary, "publish"), sent_over_the_bus(primary, "publishshard")) == (0, 10)
    primary.publish(CHANNEL, "of the version before")
    eventually(lambda: heard.frames[-1] == b"of the version before", 60, "a frame that is published in the plain way")
    heard.viewers.dismiss("u-1", ["s-1"], datetime.now(UTC))
    eventually(lambda: len(heard.dismissals) == 1, 60, "the dismissal, once")


def test_the_gateway_follows_the_board_to_another_node(heard: Heard) -> None:
    cluster = heard.cluster
    cluster.fail_over()
    version = eventually(lambda: sent(heard), 60, "a frame sent at the new primary")
    eventually(lambda: heard.arrives(version), 60, "it, or what was kept of it")
    eventually(lambda: listeners(cluster.replica) == 1, 60, "the subscription at the new primary")
    target = cluster.others[0]
    move_slot(cluster, cluster.replica, target)
    eventually(lambda: listeners(target) == 1, 60, "the subscription where the slot is now")
    version = eventually(lambda: sent(heard), 60, "a frame sent there")
    eventually(lambda: heard.arrives(version), 60, "it")


def sent(heard: Heard) -> int:
    """The version, or 0 while Redis is not found."""
    try:
        return heard.send()
    except RedisUnavailable:
        return 0


def move_slot(cluster: RedisCluster, source: Any, target: Any) -> None:
    """With the few keys that are in it, as `redis-cli --cluster reshard` does."""
    ids = {node: node.execute_command("CLUSTER MYID") for node in (source, target)}
    target.execute_command("CLUSTER SETSLOT", cluster.slot, "IMPORTING", ids[source])
    source.execute_command("CLUSTER SETSLOT", cluster.slot, "MIGRATING", ids[target])
    keys = source.execute_command("CLUSTER GETKEYSINSLOT", cluster.slot, 100)
    source.execute_command("MIGRATE", "127.0.0.1", port_of(target), "", 0, 5000, "REPLACE", "AUTH", PASSWORD, "KEYS", *keys)
    target.execute_command("CLUSTER SETSLOT", cluster.slot, "NODE", ids[target])
    with suppress(redis.ResponseError):  # without a slot it follows the other one as a replica, and may have heard already
        source.execute_command("CLUSTER SETSLOT", cluster.slot, "NODE", ids[target])
