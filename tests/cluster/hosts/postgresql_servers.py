"""A PostgreSQL on each host, of which Patroni makes a primary and standbys, one of them synchronous; what it knows is in etcd."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from typing import Any

import yaml

from local_runtime.instance.servers import programs
from local_runtime.instance.servers.postgresql import ACCOUNT, DATABASE, FUNCTIONS_USER, SUPERUSER, USER
from tests.cluster.hosts.host import Host, Server
from tests.support.api import Api
from tests.support.product import query
from tests.support.waiting import eventually

PORT, PATRONI_PORT, ETCD_PORT, ETCD_PEER_PORT = 5432, 8008, 2379, 2380
READY_SECONDS = 180.0
# Patroni's default times take half a minute to fail over; these, a third less, are the least that it accepts as a lifetime.
LIFETIME = {"ttl": 20, "loop_wait": 5, "retry_timeout": 5}


class PostgreSQLServers:
    """`url` is what the product's functions are given, `owner_url` that of who migrates."""

    def __init__(self, hosts: Sequence[Host], password: str) -> None:
        self._hosts, self._password = hosts, password
        places = ",".join(f"{host.address}:{PORT}" for host in hosts)
        self.url = f"postgresql://{FUNCTIONS_USER}:{password}@{places}/{DATABASE}?sslmode=disable"
        self.owner_url = f"postgresql://{USER}:{password}@{places}/{DATABASE}?sslmode=disable"

    def start(self) -> None:
        """The first one is the primary; returns when it has a synchronous standby and another one, and the database is made."""
        for host in self._hosts:
            host.add(Server("etcd", self._etcd(host)))
        for host in self._hosts:
            place = host.directory("postgresql", ACCOUNT)
            file = host.write("postgresql/patroni.yml", yaml.safe_dump(self._patroni(host)), ACCOUNT)
            host.add(Server("patroni", ("patroni", str(file)), {"HOME": str(place), "LC_ALL": "C.UTF-8"}, ACCOUNT))
            eventually(lambda host=host: host.name in self._members(), READY_SECONDS, f"{host.name} joins")  # type: ignore[misc]
            if host is self._hosts[0]:
                eventually(lambda: self._leader() == host.name, READY_SECONDS, "it is the primary")  # noqa: B023
        self.wait_whole()
        superuser = self._superuser_url(self._hosts[0], "postgres")
        for statement in (
            f"CREATE ROLE {USER} LOGIN PASSWORD '{self._password}'",
            f"CREATE ROLE {FUNCTIONS_USER} LOGIN PASSWORD '{self._password}'",
            f"CREATE DATABASE {DATABASE} OWNER {USER}",
        ):
            query(superuser, statement)

    def wait_whole(self) -> None:
        """Until each has its part, in one timeline."""
        roles = sorted(["leader", "sync_standby", *["replica"] * (len(self._hosts) - 2)])

        def whole() -> bool:
            members = self._members().values()
            is_streaming = all(member.get("state") in ("running", "streaming") for member in members)
            return (
                is_streaming
                and sorted(member["role"] for member in members) == roles
                and len({member.get("timeline") for member in members}) == 1
            )

        eventually(whole, READY_SECONDS, "Patroni sees a primary, a synchronous standby, and another one")

    def primary(self) -> Host:
        """Whose PostgreSQL takes writes, as Patroni says."""
        name = eventually(self._leader, READY_SECONDS, "Patroni knows a primary")
        return next(host for host in self._hosts if host.name == name)

    def primary_url(self) -> str:
        """The owner's, at the primary."""
        return f"postgresql://{USER}:{self._password}@{self.primary().address}:{PORT}/{DATABASE}"

    def _leader(self) -> str:
        return next((name for name, member in self._members().items() if member["role"] == "leader"), "")

    def _members(self) -> dict[str, dict[str, Any]]:
        """By name, as the first of them says that answers."""
        for host in self._hosts:
            try:
                answer = Api(f"http://{host.address}:{PATRONI_PORT}", timeout_seconds=2.0).get("/cluster")
                return {member["name"]: member for member in answer.json["members"]}
            except (OSError, http.client.HTTPException, ValueError, KeyError):
                continue  # it is away, or knows nothing now
        return {}

    def _superuser_url(self, host: Host, database: str) -> str:
        return f"postgresql://{SUPERUSER}:{self._password}@{host.address}:{PORT}/{database}"

    def _etcd(self, host: Host) -> tuple[str, ...]:
        clients, peers = f"http://{host.address}:{ETCD_PORT}", f"http://{host.address}:{ETCD_PEER_PORT}"
        return (
            *("etcd", "--name", host.name, "--data-dir", str(host.place / "etcd")),
            *("--listen-client-urls", clients, "--advertise-client-urls", clients),
            *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers),
            *("--initial-cluster", ",".join(f"{each.name}=http://{each.address}:{ETCD_PEER_PORT}" for each in self._hosts)),
            "--enable-v2",
            *("--heartbeat-interval", "300", "--election-timeout", "2000"),  # on cores that others use, too
        )

    def _patroni(self, host: Host) -> dict[str, Any]:
        place = host.place / "postgresql"
        accounts = {
            "superuser": {"username": SUPERUSER, "password": self._password},
            "replication": {"username": "replicator", "password": self._password},
        }
        return {
            "scope": "scoreboard",
            "name": host.name,
            "restapi": {"listen": f"{host.address}:{PATRONI_PORT}", "connect_address": f"{host.address}:{PATRONI_PORT}"},
            # Not etcd3: over that, Patroni 3.0.2 of Debian 12 lets a primary that was cut off take the lead from the one that was
            # chosen meanwhile, and what that one has recorded is lost.
            "etcd": {"hosts": [f"{each.address}:{ETCD_PORT}" for each in self._hosts]},
            "bootstrap": {
                "dcs": {
                    **LIFETIME,
                    "synchronous_mode": True,
                    "postgresql": {
                        "use_pg_rewind": True,
                        "parameters": {"max_connections": 200, "shared_buffers": "64MB", "wal_log_hints": "on"},
                    },
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, "data-checksums"],
            },
            "postgresql": {
                "listen": f"{host.address}:{PORT}",
                "connect_address": f"{host.address}:{PORT}",
                "data_dir": str(place / "data"),
                "bin_dir": str(programs.POSTGRES.require().parent),
                "pgpass": str(place / "pgpass"),
                "authentication": accounts,
                "parameters": {"unix_socket_directories": str(place), "password_encryption": "scram-sha-256"},
                "pg_hba": [
                    "local all all scram-sha-256",
                    "host all all 10.91.0.0/24 scram-sha-256",
                    "host replication replicator 10.91.0.0/24 scram-sha-256",
                ],
                "remove_data_directory_on_diverged_timelines": True,
            },
        }
