"""Instances that each do a part: together they are the scoreboard, and each tells whether it can do its own part."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lambda_runtime.deployment import Stores, private_stores
from tests.support.api import frame_with
from tests.support.keys import new_keys
from tests.support.product import ROOT, Product, clean_environment, query
from tests.support.redis_settings import redis_with
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("roles"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def stores() -> Iterator[Stores]:
    with private_stores() as running:
        yield running


@pytest.fixture(scope="module")
def environment(stores: Stores) -> dict[str, str]:
    return {**stores.environment(), **new_keys()}


def scoreboard(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local_runtime", *arguments],
        cwd=ROOT,
        env={**clean_environment(), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def prepared(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of the instances, whose stores `prepare` has made ready."""
    done = scoreboard("prepare", "--data-dir", str(tmp_path_factory.mktemp("prepare") / "data"), **environment)
    assert (done.returncode, done.stdout) == (0, "the stores are ready\n"), done.stderr
    applied = query(environment["MIGRATIONS_DATABASE_URL"], "SELECT count(*) FROM schema_migrations")
    assert applied == [[len(list((ROOT / "shared/stores/migrations").glob("*.sql")))]]
    return environment


@pytest.fixture(scope="module")
def http(prepared: dict[str, str]) -> Iterator[Product]:
    with Product(None, "--role", "http", **prepared) as running:
        yield running


@pytest.fixture(scope="module")
def workers(http: Product, prepared: dict[str, str]) -> Iterator[Product]:
    """Everything but the API."""
    with Product(None, "--role", "consumer,scheduler", "--workers", "1", **prepared) as running:
        yield running


def test_an_update_at_one_is_recorded_and_told_by_the_other(http: Product, workers: Product) -> None:
    assert set(http.runtime["processes"]) == {"http", "scheduler"}, "what every instance runs at its own times"
    assert set(workers.runtime["processes"]) == {"http", "consumer", "scheduler"}
    player = http.api.new_player()
    with player.watch() as viewer:
        player.add_points(5)
        frame_with(viewer, player.user_id, 5)
    recorded = "SELECT new_score FROM score_history WHERE user_id = :player"
    eventually(lambda: http.query(recorded, player=player.user_id) == [[5]], 60, "the ledger's row")


def test_schedules_run_where_the_role_is(http: Product, workers: Product) -> None:
    database = workers.runtime["database_url"]
    held = "SELECT holder FROM leases WHERE name = 'schedules' AND expires_at > clock_timestamp()"
    eventually(lambda: query(database, held) == [[workers.runtime["instance_id"]]], 60, "the lease")
    present = "SELECT count(*) FROM leases WHERE name LIKE 'instance:%' AND expires_at > clock_timestamp() + INTERVAL '1 second'"
    assert query(database, present)[0][0] >= 2, "both are there"


def test_one_without_the_api_serves_health_and_nothing_else(workers: Product, http: Product) -> None:
    assert [workers.api.get(path).status for path in ("/healthz", "/readyz", "/metrics")] == [200, 200, 200]
    assert [workers.api.get(path).status for path in ("/", "/api/scores", "/ws", "/docs")] == [404, 404, 404, 404]
    assert http.api.get("/").status == 200
    assert f"curl {workers.base_url}/readyz" in "".join(workers.output)
    assert "in two browser windows" not in "".join(workers.output)


def test_it_is_ready_when_it_can_do_its_own_part(workers: Product, http: Product) -> None:
    with redis_with(http.runtime["redis_url"], maxmemory=1):
        eventually(lambda: http.api.get("/readyz").status == 503, 60, "no update accepted")
        eventually(lambda: workers.api.get("/readyz").json["data"]["status"] == "degraded", 60, "noticed there, too")
        assert workers.api.get("/readyz").status == 200
    eventually(lambda: http.api.get("/readyz").status == 200, 60, "accepted again")


@pytest.mark.parametrize(
    ("role", "says"),
    [
        ("http", "--role http leaves consumer and scheduler to other instances, which cannot reach private servers: set"),
        ("http,queue", "--role http,queue: queue is none of http, consumer, scheduler"),
    ],
)
def test_a_role_that_cannot_be_is_refused(role: str, says: str, tmp_path: Path) -> None:
    done = scoreboard("serve", "--role", role, "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 2
    assert says in done.stderr


def test_stores_are_not_prepared_with_keys_that_nobody_has(environment: dict[str, str], tmp_path: Path) -> None:
    without = {name: value for name, value in environment.items() if name != "PAYLOAD_KEYS"}
    done = scoreboard("prepare", "--data-dir", str(tmp_path / "data"), **without)
    assert done.returncode == 2
    assert "set JWT_SIGNING_KEY and PAYLOAD_KEYS" in done.stderr
    done = scoreboard("prepare", "--data-dir", str(tmp_path / "data"), AMQP_URL=environment["AMQP_URL"])
    assert done.returncode == 2
    assert "set REDIS_URL, DATABASE_URL: private servers are prepared by" in done.stderr
