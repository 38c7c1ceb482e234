"""A Redis Cluster of three primaries, of which the one that serves a key has a replica."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any

import redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from local_runtime.instance.servers import programs
from local_runtime.instance.servers.ports import free_port
from tests.support.waiting import eventually

PASSWORD = "cluster"
NODE_TIMEOUT_MS = 10_000  # on a busy machine a node may not answer for seconds, and is well


class RedisCluster:
    """`url` is what a client is given; `primary` and `replica` are of the hash slot of `key`, `others` serve other slots."""

    def __init__(self, directory: Path, key: str, ending: ExitStack) -> None:
        self._processes: dict[int, Popen[bytes]] = {}
        self.slot = key_slot(key.encode())
        nodes = [self._started(directory, ending) for _ in range(4)]
        self.primary, self.replica, *self.others = nodes
        self._join(nodes)
        self.url = f"redis+cluster://:{PASSWORD}@{','.join(f'127.0.0.1:{port_of(node)}' for node in nodes)}"

    def kill(self, node: Any) -> None:
        """At once."""
        process = self._processes[port_of(node)]
        process.kill()
        process.wait()

    def fail_over(self) -> None:
        """The replica takes over in an orderly way."""
        self.replica.execute_command("CLUSTER FAILOVER")
        eventually(lambda: self.replica.info("replication")["role"] == "master", 60, "the replica chosen")

    def _started(self, directory: Path, ending: ExitStack) -> Any:
        port = free_port()
        (directory / str(port)).mkdir()
        file = directory / f"{port}.conf"
        file.write_text(f"""bind 127.0.0.1
port {port}
cluster-port {free_port()}
dir {directory / str(port)}
cluster-enabled yes
cluster-node-timeout {NODE_TIMEOUT_MS}
repl-diskless-sync-delay 0
requirepass {PASSWORD}
masterauth {PASSWORD}
save ""
""")
        process = self._processes[port] = Popen([programs.REDIS.require(), file], stdout=DEVNULL)
        ending.callback(process.wait)
        ending.callback(process.kill)
        node: Any = redis.Redis(port=port, password=PASSWORD, decode_responses=True)
        ending.callback(node.close)
        eventually(lambda: answers(node), 60, "a node")
        return node

    def _join(self, nodes: list[Any]) -> None:
        bounds = sorted((0, self.slot, self.slot + 1, REDIS_CLUSTER_HASH_SLOTS))
        for number, (first, end) in enumerate(pairwise(bounds)):
            owner = self.primary if first == self.slot else self.others[number // 2]
            owner.execute_command("CLUSTER ADDSLOTSRANGE", first, end - 1)
        for epoch, node in enumerate(nodes, 1):
            node.execute_command("CLUSTER SET-CONFIG-EPOCH", epoch)
            busport = nodes[0].config_get("cluster-port")["cluster-port"]
            if node is not nodes[0]:
                node.execute_command("CLUSTER MEET", "127.0.0.1", port_of(nodes[0]), busport)
        eventually(lambda: all(knows(node, 4) for node in nodes), 60, "every node knows the others")
        self.replica.execute_command("CLUSTER REPLICATE", self.primary.execute_command("CLUSTER MYID"))
        eventually(lambda: self.replica.info("replication").get("master_link_status") == "up", 60, "the replica in step")
        eventually(lambda: all(is_in_order(node) for node in nodes), 60, "the cluster in order")


def port_of(node: Any) -> int:
    """Where it listens."""
    return int(node.connection_pool.connection_kwargs["port"])


def answers(node: Any) -> bool:
    """Whether it is there."""
    try:
        return bool(node.ping())
    except redis.ConnectionError:
        return False


def knows(node: Any, count: int) -> bool:
    """Whether so many nodes are in its view of the cluster."""
    return int(node.execute_command("CLUSTER INFO")["cluster_known_nodes"]) == count


def is_in_order(node: Any) -> bool:
    """Whether all slots are served, as it sees it, and it knows of the replica."""
    state = node.execute_command("CLUSTER INFO")["cluster_state"]
    return state == "ok" and any("slave" in line for line in map(str, node.execute_command("CLUSTER NODES").values()))


@contextmanager
def redis_cluster(directory: Path, key: str) -> Iterator[RedisCluster]:
    """All four running."""
    with ExitStack() as ending:
        yield RedisCluster(directory, key, ending)
