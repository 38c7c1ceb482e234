"""On a Redis Cluster the node that serves the board is found, and found again when the board has moved to another one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from local_runtime.instance.errors import InstanceError
from local_runtime.instance.outside import check_outside_servers
from shared.core.errors import RedisUnavailable
from shared.stores.redis.connection import connect, translated
from tests.support.redis_cluster import PASSWORD, RedisCluster, port_of, redis_cluster
from tests.support.waiting import eventually

PREFIX = "{board}:"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RedisCluster]:
    with redis_cluster(tmp_path, PREFIX) as made:
        yield made


def writes(client: redis.Redis, value: str) -> bool:
    """Whether Redis took it; anything but "away for now" is an error."""
    try:
        with translated():
            client.set(f"{PREFIX}written", value)
    except RedisUnavailable:
        return False
    return True


def test_the_node_that_serves_the_board_is_found_wherever_it_moves(cluster: RedisCluster) -> None:
    with connect(cluster.url, key_prefix=PREFIX) as client:
        assert writes(client, "first")
        assert cluster.primary.get(f"{PREFIX}written") == "first"
        cluster.fail_over()
        eventually(lambda: writes(client, "second"), 60, "the new primary found")
        assert cluster.replica.get(f"{PREFIX}written") == "second"


def test_a_node_that_dies_is_replaced_by_its_replica(cluster: RedisCluster) -> None:
    with connect(cluster.url, key_prefix=PREFIX) as client:
        assert writes(client, "before")
        eventually(lambda: cluster.replica.info("replication")["master_link_status"] == "up", 60, "the replica in step")
        cluster.kill(cluster.primary)
        eventually(lambda: writes(client, "after"), 60, "the new primary found")
        assert cluster.replica.get(f"{PREFIX}written") == "after"


def test_nodes_that_are_out_of_touch_are_not_believed(cluster: RedisCluster) -> None:
    for node in (cluster.primary, *cluster.others):
        cluster.kill(node)
    eventually(lambda: cluster.replica.execute_command("CLUSTER INFO")["cluster_state"] == "fail", 60, "out of touch")
    with connect(cluster.url, key_prefix=PREFIX) as client:
        assert not writes(client, "late")


def test_the_start_is_refused_with_what_to_set(cluster: RedisCluster) -> None:
    node = f"redis://:{PASSWORD}@127.0.0.1:{port_of(cluster.primary)}/0"
    for url, keys, says in (
        (cluster.url, [PREFIX, f"{PREFIX}frames"], ""),
        (cluster.url, [""], "set KEY_PREFIX to one with a hash tag"),
        (cluster.url, [PREFIX, "frames"], "BROADCAST_CHANNEL must begin with KEY_PREFIX"),
        (node, [PREFIX], "this is a node of a Redis Cluster: name its nodes as redis\\+cluster://"),
        (cluster.url.replace(f":{PASSWORD}@", ":wrong@"), [PREFIX], "AuthenticationError"),
    ):
        if not says:
            check_outside_servers({"REDIS_URL": url}, {}, keys=keys)
            continue
        with pytest.raises(InstanceError, match=says):
            check_outside_servers({"REDIS_URL": url}, {}, keys=keys)
