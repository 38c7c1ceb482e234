"""Which servers an instance uses: private ones, unless the environment names others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from local_runtime.instance.environment import given_server_urls
from local_runtime.instance.errors import InstanceError
from local_runtime.instance.keyring import Keyring
from local_runtime.instance.outside import check_outside_servers, check_shards
from local_runtime.instance.servers.memory import Shares
from local_runtime.instance.servers.room import MEGABYTE, free_bytes, is_exhausted
from local_runtime.instance.servers.run import Server
from local_runtime.instance.supervisor.process import ProcessSpec
from local_runtime.settings import CA_FILES, OWNERS_DATABASE_URL, ProvidedSettings


@dataclass(frozen=True, slots=True)
class ServerAddresses:
    """Where the servers answer: the URLs that functions need, and the CA files, by the names of their variables."""

    urls: Mapping[str, str] = field(repr=False)
    ca_files: Mapping[str, str]
    # Where Redis is private, see Room and ClockWatch.
    refuse_changes: Callable[[bool], bool] = lambda _refuse: True
    sync_again: Callable[[], bool] = lambda: True

    @property
    def owners_database_url(self) -> str:
        """PostgreSQL, for whoever may do anything with the tables."""
        return self.urls.get(OWNERS_DATABASE_URL) or self.urls["DATABASE_URL"]


class PrivateServer(Server, Protocol):
    """A server that the product connects to."""

    @property
    def url(self) -> str:
        """Where it answers; valid after prepare()."""
        ...


def launch_servers(
    data_dir: Path, environment: Mapping[str, str], keyring: Keyring, memory: Shares, launch: Callable[[ProcessSpec], None]
) -> ServerAddresses:
    """Check the given servers, prepare and launch the private ones, which share `memory`; nothing is waited for.

    RabbitMQ takes by far the longest to boot, so it comes first: the others are prepared meanwhile.
    """
    from local_runtime.instance.servers.postgresql import PrivatePostgreSQL
    from local_runtime.instance.servers.rabbitmq import PrivateRabbitMQ
    from local_runtime.instance.servers.redis import PrivateRedis

    urls = given_server_urls(environment)
    ca_files = {url: _absolute(environment.get(variable, "")) for url, variable in CA_FILES.items()}
    prefix, replicas = environment.get("KEY_PREFIX", ""), environment.get("REDIS_REPLICAS") or "0"
    if replicas not in ("0", "1", "2"):
        raise InstanceError("REDIS_REPLICAS must be 0, 1 or 2")
    if replicas != "0" and "REDIS_URL" not in urls:
        raise InstanceError("REDIS_REPLICAS is for a Redis of your own (REDIS_URL): the private one has no replicas")
    check_outside_servers(
        urls,
        {**ca_files, OWNERS_DATABASE_URL: ca_files["DATABASE_URL"]},
        ProvidedSettings.from_environment(environment).amqp_tls_minimum,
        [prefix, environment.get("BROADCAST_CHANNEL") or prefix],
        int(replicas),
    )
    if shards := environment.get("REDIS_SHARDS"):
        check_shards(shards, urls.get("REDIS_URL", ""), prefix, ca_files["REDIS_URL"], int(replicas))
    private: dict[str, PrivateServer] = {}
    if "AMQP_URL" not in urls:
        private["AMQP_URL"] = rabbitmq = PrivateRabbitMQ(data_dir, keyring.amqp_password, memory)
        ca_files["AMQP_URL"] = str(rabbitmq.ca_file)
    if "REDIS_URL" not in urls:
        private["REDIS_URL"] = redis = PrivateRedis(data_dir, keyring.redis_password, memory)
    postgresql = PrivatePostgreSQL(data_dir, keyring.database_password, memory)
    if "DATABASE_URL" not in urls:
        private[OWNERS_DATABASE_URL] = postgresql
    if private and is_exhausted(data_dir):
        raise InstanceError(
            f"{data_dir} has only {free_bytes(data_dir) // MEGABYTE} MB left: make room, or choose another --data-dir"
        )
    for name, server in private.items():
        server.prepare()
        for spec in server.specs():
            launch(spec)
        urls[name] = server.url
    if OWNERS_DATABASE_URL in private:
        urls["DATABASE_URL"] = postgresql.functions_url
    ca_variables = {CA_FILES[name]: path for name, path in ca_files.items()}
    return (
        ServerAddresses(urls, ca_variables, redis.refuse_changes, redis.sync_again)
        if "REDIS_URL" in private
        else ServerAddresses(urls, ca_variables)
    )


def _absolute(path: str) -> str:
    """Where the processes of the product find it, too, whose working directory is another."""
    return str(Path(path).expanduser().resolve()) if path else ""
