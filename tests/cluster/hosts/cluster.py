"""The three hosts with everything on them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.cluster.hosts.host import Host
from tests.cluster.hosts.network import network
from tests.cluster.hosts.postgresql_servers import PostgreSQLServers
from tests.cluster.hosts.rabbitmq_servers import RabbitMQServers
from tests.cluster.hosts.redis_servers import RedisServers
from tests.support.api import Api
from tests.support.keys import new_keys
from tests.support.product import Product
from tests.support.waiting import eventually

NAMES = ("h1", "h2", "h3")
PRODUCT_PORT = "8080"
READY_SECONDS = 180.0
ANSWER_SECONDS = 3.0  # as long as a player waits before another instance is asked
# Plain text, as on a network that leads nowhere else. Whoever watches needs no account, whoever plays no patience.
SETTINGS = {"PUBLIC_LEADERBOARD": "true", "RATE_LIMIT_REQUESTS": "1000000", "LOG_LEVEL": "INFO"}


class Cluster:
    """`hosts` in their order, and the product on each of them."""

    def __init__(self, hosts: list[Host]) -> None:
        self.hosts = hosts
        self.redis = RedisServers(hosts, secrets.token_hex(16))
        self.rabbitmq = RabbitMQServers(hosts, secrets.token_hex(16))
        self.postgresql = PostgreSQLServers(hosts, secrets.token_hex(16))
        self.products: dict[str, Product] = {}

    def start(self) -> None:
        """Stores first."""
        self.redis.start()
        self.rabbitmq.start()
        self.postgresql.start()
        environment = {
            **new_keys(),
            **SETTINGS,
            "REDIS_URL": self.redis.url,
            "AMQP_URL": self.rabbitmq.url,
            "DATABASE_URL": self.postgresql.url,
            "MIGRATIONS_DATABASE_URL": self.postgresql.owner_url,
        }
        for host in self.hosts:
            options = ("--host", host.address, "--port", PRODUCT_PORT, "--insecure", "--workers", "1")
            product = Product(host.place / "scoreboard", *options, **environment)
            product.enter = host.enter
            self.products[host.name] = product.start()

    def wait_whole(self) -> None:
        """Until every server has its part again, and every instance says that it is ready."""
        self.redis.wait_whole()
        self.rabbitmq.wait_whole()
        self.postgresql.wait_whole()
        for name, product in self.products.items():
            eventually(product.is_ready, READY_SECONDS, f"the product on {name} is ready")

    def api(self, host: Host) -> Api:
        """The product there, as players reach it."""
        return Api(f"http://{host.address}:{PRODUCT_PORT}", timeout_seconds=ANSWER_SECONDS)

    def verb(self, *words: str) -> str:
        """A verb on the last host; answers what it prints."""
        done = self.products[self.hosts[-1].name].verb(*words)
        return done.stdout + done.stderr

    def switch_off(self, host: Host) -> None:
        """The host is gone at once, with everything on it, and tells nobody."""
        host.port.cut()
        host.kill_all()
        process = self.products[host.name].process
        assert process is not None
        process.wait()

    def switch_on(self, host: Host) -> None:
        """It starts with what was on its disk; returns when the product is ready."""
        host.port.mend()
        host.start_all()
        self.products[host.name].start()


@contextmanager
def running(place: Path) -> Iterator[Cluster]:
    """While it runs, this thread is where its players are."""
    with ExitStack() as stack:
        ports = stack.enter_context(network(NAMES))
        cluster = Cluster([Host(name, port, place) for name, port in zip(NAMES, ports, strict=True)])
        for host in cluster.hosts:
            stack.callback(host.kill_all)
        cluster.start()
        yield cluster
