"""A Redis and a Sentinel on each host, as `infra/containers` sets them up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.boards.board import MAIN
from tests.cluster.hosts.host import Host, Server
from tests.support.waiting import eventually

PORT, SENTINEL_PORT = 6379, 26379
NAME = "scoreboard"
ANSWER_SECONDS = 1.0
READY_SECONDS = 60.0


class RedisServers:
    """`url` is what the product is given."""

    def __init__(self, hosts: Sequence[Host], password: str) -> None:
        self._hosts, self._password = hosts, password
        places = ",".join(f"{host.address}:{SENTINEL_PORT}" for host in hosts)
        self.url = f"redis+sentinel://:{password}@{places}/{NAME}/0?sentinel_password={password}"

    def start(self) -> None:
        """The first one is the primary; returns when the others follow it and the Sentinels know each other."""
        first = self._hosts[0]
        for host in self._hosts:
            host.directory("redis")
            host.directory("sentinel")
            server = host.write("redis/redis.conf", self._server_configuration(host, first))
            sentinel = host.write("sentinel/sentinel.conf", self._sentinel_configuration(host, first))
            host.add(Server("redis", ("redis-server", str(server))))
            host.add(Server("sentinel", ("redis-server", str(sentinel), "--sentinel")))
        self.wait_whole()

    def wait_whole(self) -> None:
        """Until all Sentinels say that all is well."""
        others = len(self._hosts) - 1

        def whole() -> bool:
            states = [self._state(host) for host in self._hosts]
            return (
                all(
                    state.get("flags") == "master"
                    and (state.get("num-slaves"), state.get("num-other-sentinels")) == (others, others)
                    for state in states
                )
                and len({state["ip"] for state in states}) == 1
                and self._replicas(self.primary()) == others
            )

        eventually(whole, READY_SECONDS, "the Sentinels see all of Redis")

    def primary(self) -> Host:
        """Which host's Redis most Sentinels call the primary."""

        def most() -> str:
            named = [str(state["ip"]) for host in self._hosts if (state := self._state(host))]
            return next((ip for ip in named if named.count(ip) > 1), "")

        address = eventually(most, READY_SECONDS, "two Sentinels agree on the primary")
        return next(host for host in self._hosts if host.address == address)

    def wait_other_primary(self, former: Host) -> None:
        """Until there is another one, and it takes writes."""
        eventually(lambda: self.primary() is not former and self._role(self.primary()) == "master", READY_SECONDS, "a failover")

    def points(self, user_ids: Iterable[str]) -> int:
        """Of all these together, on the board of the primary as it is."""
        with self._client(self.primary()) as client:
            return sum(int(score or 0) for score in client.zmscore("leaderboard", list(map(MAIN.member, user_ids))))

    def accept_alone(self, *, alone: bool) -> None:
        """Have a primary take updates without a replica, or not, as it should be."""
        for host in self._hosts:
            self._set(host, "min-replicas-to-write", 0 if alone else 1)

    def stop_following(self) -> None:
        """Have the replicas lose their connection to the primary, while everything else goes on."""
        for host in self._hosts:
            if host is not self.primary():
                with self._client(host) as client:
                    client.config_set("masterauth", "wrong")
                    client.client_kill_filter(_type="master")
        eventually(lambda: self._replicas(self.primary()) == 0, READY_SECONDS, "nobody follows")

    def follow_again(self) -> None:
        """Undo it, where a Redis runs."""
        for host in self._hosts:
            if self._role(host):
                self._set(host, "masterauth", self._password)

    def _set(self, host: Host, name: str, value: str | int) -> None:
        """Written down, too: a Sentinel has it do so with whatever is set just then."""
        with self._client(host) as client:
            client.config_set(name, value)
            client.config_rewrite()

    def _client(self, host: Host, port: int = PORT) -> Any:
        return redis.Redis(
            host.address,
            port,
            password=self._password,
            decode_responses=True,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )

    def _state(self, host: Host) -> dict[str, Any]:
        """What a Sentinel says of the primary; empty while it does not answer."""
        try:
            with self._client(host, SENTINEL_PORT) as client:
                return dict(client.sentinel_master(NAME))
        except redis.RedisError:
            return {}

    def _role(self, host: Host) -> str:
        try:
            with self._client(host) as client:
                return str(client.role()[0])
        except redis.RedisError:
            return ""

    def _replicas(self, host: Host) -> int:
        """How many follow a primary."""
        try:
            with self._client(host) as client:
                return int(client.info("replication")["connected_slaves"])
        except redis.RedisError:
            return 0

    def _server_configuration(self, host: Host, first: Host) -> str:
        lines = [
            f"bind {host.address} 127.0.0.1",
            f"port {PORT}",
            f"dir {host.place / 'redis'}",
            "appendonly yes",
            "maxmemory-policy noeviction",
            "min-replicas-to-write 1",
            "min-replicas-max-lag 2",
            f"replica-announce-ip {host.address}",
            f"requirepass {self._password}",
            f"masterauth {self._password}",
        ]
        if host is not first:
            lines.append(f"replicaof {first.address} {PORT}")
        return "\n".join(lines) + "\n"

    def _sentinel_configuration(self, host: Host, first: Host) -> str:
        lines = [
            f"bind {host.address} 127.0.0.1",
            f"port {SENTINEL_PORT}",
            f"dir {host.place / 'sentinel'}",
            f"sentinel announce-ip {host.address}",
            f"sentinel monitor {NAME} {first.address} {PORT} 2",
            f"sentinel down-after-milliseconds {NAME} 2000",
            f"sentinel failover-timeout {NAME} 10000",
            f"sentinel auth-pass {NAME} {self._password}",
            f"requirepass {self._password}",
            f"sentinel sentinel-pass {self._password}",
        ]
        return "\n".join(lines) + "\n"
