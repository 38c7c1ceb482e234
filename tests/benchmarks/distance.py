"""Stores that are not on this machine: how many round trips an update waits for, and what TLS to each of them costs."""

from __future__ import annotations

import asyncio
import json
import secrets
import selectors
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from urllib.parse import urlsplit

from local_runtime.instance.servers.certificates import ensure_certificates
from local_runtime.instance.servers.postgresql import PrivatePostgreSQL
from local_runtime.instance.servers.rabbitmq import PrivateRabbitMQ
from local_runtime.instance.servers.redis import PrivateRedis
from local_runtime.instance.servers.run import running
from tests.benchmarks.figures import Figure, figure
from tests.benchmarks.load import Load, cpu_seconds, drive
from tests.benchmarks.updates import CONNECTIONS, crowd
from tests.support.product import ROOT, Product, new_data_dir, remove_data_dir
from tests.support.tls_postgresql import offer_tls
from tests.support.tls_redis import tls_redis

ROUND_TRIPS_SECONDS = (0.0, 0.001, 0.005)
RATE, ROUNDS, ROUND_SECONDS, WARM_UP_SECONDS = 500.0, 5, 6.0, 12.0
# The script in Redis, and the broker's confirm; an update does not wait for PostgreSQL. A fifth for what relays are late.
ROUND_TRIPS_LIMIT = 2.2
URLS = ("REDIS_URL", "AMQP_URL", "DATABASE_URL", "MIGRATIONS_DATABASE_URL")
Environment = dict[str, str]


def measure() -> list[Figure]:
    """The same load in turns: near and far, with and without TLS."""
    return _far() + _encrypted()


def _far() -> list[Figure]:
    with _stores() as near, Distance(near[name] for name in URLS) as distance:
        far = {**near, **dict(zip(URLS, distance.urls, strict=True))}
        with Product(None, "--workers", "1", RATE_LIMIT_REQUESTS="1000000", **far) as product:
            requests = crowd(product)
            _drive(product, requests, WARM_UP_SECONDS)
            loads: dict[float, list[Load]] = {seconds: [] for seconds in ROUND_TRIPS_SECONDS}
            for _ in range(ROUNDS):
                for seconds, found in loads.items():
                    distance.be(seconds)
                    found.append(_drive(product, requests, ROUND_SECONDS, RATE))
    figures: list[Figure] = []
    for seconds, found in loads.items():
        where = f"at {RATE:.0f}/s, stores {seconds * 1000:.0f} ms away" if seconds else f"at {RATE:.0f}/s, stores near"
        for percent in (50, 99):
            of_near = statistics.median(load.percentile(percent) for load in loads[0.0])
            figures.append(figure(f"p{percent} {where}", "s", [load.percentile(percent) for load in found], "near", of_near))
    _, shorter_way, longer_way = loads
    # Between two that are far: near ones confirm so soon that writes are not held together.
    waits = [
        (longer.percentile(50) - shorter.percentile(50)) / (longer_way - shorter_way)
        for longer, shorter in zip(loads[longer_way], loads[shorter_way], strict=True)
    ]
    return [*figures, figure("round trips to stores that an update waits for", "", waits, "limit", ROUND_TRIPS_LIMIT)]


def _encrypted() -> list[Figure]:
    with ExitStack() as stack:
        environments = {"plain": stack.enter_context(_stores()), "TLS": stack.enter_context(_stores(encrypted=True))}
        products = {
            name: stack.enter_context(Product(None, "--workers", "1", RATE_LIMIT_REQUESTS="1000000", **environment))
            for name, environment in environments.items()
        }
        requests = {name: crowd(product) for name, product in products.items()}
        for name, product in products.items():
            _drive(product, requests[name], WARM_UP_SECONDS)
        cost: dict[str, dict[str, list[float]]] = {name: {} for name in products}
        for _ in range(ROUNDS):
            for name, product in products.items():
                meters = _meters(product)
                before = {part: read() for part, read in meters.items()}
                load = _drive(product, requests[name], ROUND_SECONDS)
                time.sleep(1.0)  # the consumer has caught up
                for part, read in meters.items():
                    cost[name].setdefault(part, []).append((read() - before[part]) / load.count * 1e6)
    return [
        figure(
            f"CPU of an update, {part}, TLS to Redis and PostgreSQL as well",
            "us",
            found,
            "plain",
            statistics.median(cost["plain"][part]),
        )
        for part, found in cost["TLS"].items()
    ]


def _meters(product: Product) -> Mapping[str, Callable[[], float]]:
    """What has used how many seconds of CPU."""

    def of(part: str) -> Callable[[], float]:
        return partial(cpu_seconds, [product.pid(part)])

    def of_redis() -> float:
        with product.redis() as client:
            used = client.info("cpu")
        return float(used["used_cpu_sys"]) + float(used["used_cpu_user"])

    return {"http": of("http"), "consumer": of("consumer"), "Redis": of_redis}


def _drive(product: Product, requests: Sequence[bytes], seconds: float, rate: float = 0) -> Load:
    load = drive(product.base_url, requests, [product.pid("http")], connections=CONNECTIONS, seconds=seconds, rate=rate)
    assert set(load.statuses) == {200}, load.statuses
    return load


@contextmanager
def _stores(*, encrypted: bool = False) -> Iterator[Environment]:
    """Settings of servers that no instance owns. To RabbitMQ there is no other way than TLS."""
    data_dir = new_data_dir()
    data_dir.mkdir(mode=0o711)
    with ExitStack() as stack:
        stack.callback(remove_data_dir, data_dir)
        rabbitmq = stack.enter_context(running(PrivateRabbitMQ(data_dir, secrets.token_hex(16))))
        database = PrivatePostgreSQL(data_dir, secrets.token_hex(16))
        environment = {"AMQP_URL": rabbitmq.url, "AMQP_CA_FILE": str(rabbitmq.ca_file)}
        options = ""
        if encrypted:
            certificates = ensure_certificates(data_dir / "certificates")
            database.prepare()
            offer_tls(data_dir, certificates)
            options = f"?sslmode=verify-full&sslrootcert={certificates.ca_file}"
            place = data_dir / "redis"
            place.mkdir()
            cache = stack.enter_context(tls_redis(place))
            environment |= {"REDIS_URL": cache.url, "REDIS_CA_FILE": cache.ca_file}
        else:
            environment["REDIS_URL"] = stack.enter_context(running(PrivateRedis(data_dir, secrets.token_hex(16)))).url
        stack.enter_context(running(database))
        yield {
            **environment,
            "DATABASE_URL": database.functions_url + options,
            "MIGRATIONS_DATABASE_URL": database.url + options,
        }


class Distance:
    """A process of its own that stands before servers and lets bytes through later, in both directions."""

    def __init__(self, server_urls: Iterator[str]) -> None:
        self._server_urls = list(server_urls)
        self.urls: list[str] = []

    def __enter__(self) -> Distance:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.distance"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.urls = json.loads(self._tell(self._server_urls))
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.communicate()

    def be(self, round_trip_seconds: float) -> None:
        """From now on."""
        self._tell(round_trip_seconds / 2)

    def _tell(self, what: object) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


class _Delay:
    """What one side of a connection sends reaches the other side so much later."""

    def __init__(self) -> None:
        self.seconds = 0.0

    async def copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the one side has said its last."""
        loop = asyncio.get_running_loop()
        under_way: deque[bytes] = deque()

        def pass_on() -> None:
            """As it came: timers of one instant come in any order."""
            if data := under_way.popleft():
                writer.write(data)
            else:
                writer.close()

        due, data = 0.0, b" "
        while data:
            try:
                data = await reader.read(65536)
            except ConnectionError:
                data = b""
            under_way.append(data)
            due = max(due, loop.time() + self.seconds)  # a way that has become shorter overtakes nothing
            loop.call_at(due, pass_on)


async def _stand_between() -> None:
    """The first line names the servers and is answered with where to go instead, the others a delay."""
    loop, delay = asyncio.get_running_loop(), _Delay()
    copies: set[asyncio.Task[None]] = set()
    urls = []
    for url in json.loads(await loop.run_in_executor(None, sys.stdin.readline)):
        server = urlsplit(url)

        async def connected(
            reader: asyncio.StreamReader,
            writer: asyncio.StreamWriter,
            host: str | None = server.hostname,
            port: int | None = server.port,
        ) -> None:
            there, to_server = await asyncio.open_connection(host, port)
            for one, other in ((reader, to_server), (there, writer)):
                copies.add(asyncio.create_task(delay.copy(one, other)))

        listening = await asyncio.start_server(connected, "127.0.0.1", 0)
        urls.append(url.replace(f"{server.hostname}:{server.port}", f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"))
    print(json.dumps(urls), flush=True)  # noqa: T201 - the answer
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        delay.seconds = float(line)
        print(json.dumps("so it is"), flush=True)  # noqa: T201


if __name__ == "__main__":
    # Of all selectors this one waits for less than a millisecond where it is asked to.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(_stand_between())
