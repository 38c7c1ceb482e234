"""A RabbitMQ on each host, one cluster, whose minority pauses when the network parts them."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pika
from pika.exceptions import AMQPError

from local_runtime.instance.servers import programs
from tests.cluster.hosts.host import Host, Server
from tests.support.waiting import eventually

PORT, DISTRIBUTION_PORT = 5672, 25672
USER = "scoreboard"
READY_SECONDS = 120.0


class RabbitMQServers:
    """`url` is what the product is given."""

    def __init__(self, hosts: Sequence[Host], password: str) -> None:
        self._hosts, self._password = hosts, password
        places = ",".join(f"{host.address}:{PORT}" for host in hosts)
        self.url = f"amqp://{USER}:{password}@{places}/%2F"

    def start(self) -> None:
        """They find each other."""
        for host in self._hosts:
            home = host.directory("rabbitmq")
            host.write("rabbitmq/.erlang.cookie", self._password).chmod(0o400)
            host.write("rabbitmq/enabled_plugins", "[].\n")
            host.write("rabbitmq/rabbitmq.conf", self._configuration(host))
            environment = {
                "HOME": str(home),
                "RUNNING_UNDER_SYSTEMD": "true",  # makes the script exec the Erlang machine
                "RABBITMQ_NODENAME": _node(host),
                "RABBITMQ_USE_LONGNAME": "true",
                "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
                "RABBITMQ_LOG_BASE": str(home),
                "RABBITMQ_LOGS": "-",
                "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
                "RABBITMQ_CONF_ENV_FILE": os.devnull,
                "RABBITMQ_DIST_PORT": str(DISTRIBUTION_PORT),
            }
            host.add(Server("epmd", (str(programs.EPMD.require()),), {"HOME": str(home)}))
            host.add(Server("rabbitmq", (str(programs.RABBITMQ.require()),), environment))
        self.wait_whole()

    def wait_whole(self) -> None:
        """Until each of them serves, and none is paused."""
        eventually(lambda: all(map(self._serves, self._hosts)), READY_SECONDS, "all brokers serve")

    def _serves(self, host: Host) -> bool:
        account = pika.PlainCredentials(USER, self._password)
        parameters = pika.ConnectionParameters(
            host.address, PORT, credentials=account, socket_timeout=2, stack_timeout=2, connection_attempts=1
        )
        try:
            pika.BlockingConnection(parameters).close()
        except (AMQPError, OSError):
            return False
        return True

    def _configuration(self, host: Host) -> str:
        nodes = [f"cluster_formation.classic_config.nodes.{number} = {_node(each)}" for number, each in enumerate(self._hosts, 1)]
        lines = [
            f"listeners.tcp.1 = {host.address}:{PORT}",
            f"default_user = {USER}",
            f"default_pass = {self._password}",
            "cluster_formation.peer_discovery_backend = classic_config",
            *nodes,
            "cluster_partition_handling = pause_minority",
            "net_ticktime = 10",
            "queue_leader_locator = balanced",
            "vm_memory_high_watermark.absolute = 600MB",
            "disk_free_limit.absolute = 100MB",
            "raft.wal_max_size_bytes = 67108864",
        ]
        return "\n".join(lines) + "\n"


def _node(host: Host) -> str:
    return f"rabbit@{host.address}"
