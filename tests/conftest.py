"""Real servers for every suite, started through the product's own code; each worker of a parallel run has its own."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
import redis
from hypothesis import HealthCheck, settings

from local_runtime.instance.servers.postgresql import SUPERUSER, USER, PrivatePostgreSQL
from local_runtime.instance.servers.rabbitmq import PrivateRabbitMQ
from local_runtime.instance.servers.redis import PrivateRedis
from local_runtime.instance.servers.run import running
from shared.boards.open_epoch import open_epoch
from shared.container import Container, container
from shared.core.config import Settings
from shared.reconciliation.rebuild_leaderboard import pages
from shared.stores.postgresql.migrations import Migrations
from shared.stores.postgresql.pool import Pool
from tests.handlers.limits import open_limits
from tests.support.keys import new_keys
from tests.support.product import let_superuser_in, new_data_dir, query, remove_data_dir
from tests.support.queues import empty_broker

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.lambda_runtime.deployment import Deployment
    from tests.lambda_runtime.packages import Packages


# How long an example takes, or is made, says how busy the machine is.
settings.register_profile("scoreboard", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("scoreboard")


@pytest.fixture(scope="session")
def servers_dir() -> Iterator[Path]:
    """Where this worker's servers keep their data."""
    data_dir = new_data_dir()
    data_dir.mkdir(mode=0o711)
    yield data_dir
    remove_data_dir(data_dir)


@pytest.fixture(scope="session")
def private_redis(servers_dir: Path) -> Iterator[PrivateRedis]:
    """A running Redis."""
    with running(PrivateRedis(servers_dir, secrets.token_hex(16))) as server:
        yield server


@pytest.fixture(scope="session")
def private_rabbitmq(servers_dir: Path) -> Iterator[PrivateRabbitMQ]:
    """A running RabbitMQ."""
    with running(PrivateRabbitMQ(servers_dir, secrets.token_hex(16))) as server:
        yield server


@pytest.fixture(scope="session")
def private_postgresql(servers_dir: Path) -> Iterator[PrivatePostgreSQL]:
    """A running PostgreSQL, whose superuser the tests may be."""
    server = PrivatePostgreSQL(servers_dir, secrets.token_hex(16))
    server.prepare()
    let_superuser_in(servers_dir)
    with running(server):
        yield server


@pytest.fixture(scope="session")
def redis_url(private_redis: PrivateRedis) -> str:
    """URL of this worker's Redis."""
    return private_redis.url


@pytest.fixture(scope="session")
def amqp_url(private_rabbitmq: PrivateRabbitMQ) -> str:
    """URL of this worker's RabbitMQ."""
    return private_rabbitmq.url


@pytest.fixture(scope="session")
def amqp_ca_file(private_rabbitmq: PrivateRabbitMQ) -> str:
    """PEM file of the CA that signed its certificate."""
    return str(private_rabbitmq.ca_file)


@pytest.fixture(scope="session")
def superuser_url(private_postgresql: PrivatePostgreSQL) -> str:
    """For those who may make databases and roles on this worker's PostgreSQL."""
    return private_postgresql.url.replace(f"//{USER}:", f"//{SUPERUSER}:")


@pytest.fixture(scope="session")
def empty_schema(private_postgresql: PrivatePostgreSQL, superuser_url: str) -> str:
    """Name of a database with the schema in it and nothing else, to be copied."""
    name = f"schema_{secrets.token_hex(4)}"
    query(superuser_url, f"CREATE DATABASE {name} OWNER {USER}")
    pool = Pool(f"{private_postgresql.url.rpartition('/')[0]}/{name}")
    Migrations(pool).apply()
    pool.close()
    return name


@contextmanager
def new_database(server: PrivatePostgreSQL, superuser_url: str, template: str) -> Iterator[str]:
    """A new database, for its owner, until it is left."""
    name = f"own_{secrets.token_hex(6)}"
    query(superuser_url, f"CREATE DATABASE {name} OWNER {USER} TEMPLATE {template}")
    yield f"{server.url.rpartition('/')[0]}/{name}"
    query(superuser_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def database_url(private_postgresql: PrivatePostgreSQL, superuser_url: str, empty_schema: str) -> Iterator[str]:
    """A database of the module's own, with the schema in it: its tests find what they do whatever ran before."""
    with new_database(private_postgresql, superuser_url, empty_schema) as url:
        yield url


@pytest.fixture
def own_database_url(private_postgresql: PrivatePostgreSQL, superuser_url: str, empty_schema: str) -> Iterator[str]:
    """A database of the test's own, with the schema in it."""
    with new_database(private_postgresql, superuser_url, empty_schema) as url:
        yield url


@pytest.fixture(scope="session")
def packages() -> Iterator[Packages]:
    """Everything as it would be uploaded, for this machine."""
    from tests.lambda_runtime.packages import Packages, package

    with TemporaryDirectory(prefix="scoreboard-packages-") as directory:
        yield Packages(package(Path(directory)), Path(directory) / "lambda")


@pytest.fixture(scope="session")
def deployment(packages: Packages) -> Iterator[Deployment]:
    """The packages under Lambda's runtime client, with servers of their own: they consume every queue."""
    from tests.lambda_runtime.deployment import Plan, deployed, private_stores

    with private_stores() as stores, deployed(Plan(packages, stores)) as running:
        yield running


@pytest.fixture(scope="module")
def function_environment(
    redis_url: str, amqp_url: str, amqp_ca_file: str, private_postgresql: PrivatePostgreSQL, database_url: str
) -> Iterator[dict[str, str]]:
    """Every variable a function needs, as the product gives them; the queues are there, the board is open, all is empty."""
    functions_url = private_postgresql.functions_url.rpartition("/")[0]
    environment = {
        "REDIS_URL": redis_url,
        "AMQP_URL": amqp_url,
        "AMQP_CA_FILE": amqp_ca_file,
        "DATABASE_URL": f"{functions_url}/{database_url.rpartition('/')[2]}",
        "MIGRATIONS_DATABASE_URL": database_url,
        **new_keys(),
        "BROADCAST_CHANNEL": "leaderboard:frames",
    }
    stores = Container(Settings.from_environment(environment))
    stores.migrations.apply()  # grants the functions their rights
    # Far above all epochs that tests make up: no two updates of a module's ledger have the same number.
    query(database_url, "INSERT INTO number_epochs (epoch, lost) VALUES (1000000, 0)")
    stores.topology.declare()
    stores.leaderboard.rebuild(pages(stores.reconciliations), stores.hidden_players.pages_of_main())
    open_epoch(stores.leaderboard, stores.ledger)
    stores.close()
    yield environment
    empty_broker(amqp_url, amqp_ca_file)
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()


@pytest.fixture
def deployed(function_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Container]:
    """The container that handlers of this test use, made afresh from `function_environment`."""
    for name, value in function_environment.items():
        monkeypatch.setenv(name, value)
    container.cache_clear()
    made = container()
    open_limits(made)
    open_epoch(made.leaderboard, made.ledger)  # other tests empty Redis
    made.rate_windows.windows_restored()
    made.rate_windows.results_restored(made.rate_windows.losses())
    with made._pool.connection() as session:  # and leave boards whose entries are in the ledger alone
        session.run("UPDATE boards SET deleted_at = now() WHERE deleted_at IS NULL")
    yield made
    made.close()
    container.cache_clear()


@pytest.fixture
def redeploy(deployed: Container, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Container]]:
    """Change variables; handlers get a container made from what they are then."""
    made: list[Container] = []

    def change(**environment: str) -> Container:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        container.cache_clear()
        made.append(container())
        return made[-1]

    yield change
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a process: Playwright takes no second one beside it."""
    from tests.e2e.page_browser import chromium

    with chromium() as running:
        yield running


def pytest_configure() -> None:
    """Who runs tests in the background of a script has them ignore Ctrl-C, and with them all that they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # xdist's own hook reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that share what takes long to start on one worker: else each worker starts it, for a part of them."""
    for item in items:
        if isinstance(item, pytest.Function) and not list(item.iter_markers("xdist_group")):
            group = _group(item)
            if group:
                item.add_marker(pytest.mark.xdist_group(group))


def _group(item: pytest.Function) -> str:
    """Empty for a test that may run anywhere."""
    hosted = getattr(item, "callspec", None) and item.callspec.params.get("hosted")
    fixtures = {name: found[-1].scope for name, found in item._fixtureinfo.name2fixturedefs.items()}
    for name in ("deployment", "product"):
        if name == hosted or fixtures.get(name) == "session":
            return name
    return item.location[0] if "module" in fixtures.values() else ""
