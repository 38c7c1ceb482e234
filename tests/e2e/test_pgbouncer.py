"""The whole product behind PgBouncer in transaction mode, with two connections to PostgreSQL for each role."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from secrets import token_hex

import pytest

from local_runtime.instance.servers.postgresql import PrivatePostgreSQL
from local_runtime.instance.servers.run import running
from tests.support.pgbouncer import PgBouncer
from tests.support.product import ROOT, Product, clean_environment, new_data_dir, query, remove_data_dir
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("pgbouncer"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PrivatePostgreSQL]:
    data_dir = new_data_dir()
    data_dir.mkdir(mode=0o711)
    with running(PrivatePostgreSQL(data_dir, token_hex(16))) as server:
        yield server
    remove_data_dir(data_dir)


@pytest.fixture(scope="module")
def product(postgresql: PrivatePostgreSQL) -> Iterator[Product]:
    directory, urls = new_data_dir(), (postgresql.url, postgresql.functions_url)
    with running(PgBouncer(directory, *urls, options="default_pool_size = 2")) as pooler:
        owner, functions = map(pooler.through, urls)
        with Product(None, DATABASE_URL=functions, MIGRATIONS_DATABASE_URL=owner) as started:
            yield started
    remove_data_dir(directory)


def run(product: Product, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "local_runtime", *arguments, "--data-dir", str(product.data_dir)]
    return subprocess.run(command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=120, check=False)


def test_a_game_adds_up(product: Product, postgresql: PrivatePostgreSQL) -> None:
    done = run(product, "simulate", "--players", "12", "--seconds", "6", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout)
    assert (summary["wrong"], summary["refused"]) == ([], {})
    recorded = "SELECT count(*) FROM score_history"
    eventually(lambda: int(query(postgresql.url, recorded)[0][0]) == summary["accepted"], 60, "all of it in the ledger")


def test_ledger_and_audit_log_are_in_order(product: Product) -> None:
    for arguments in (["reconcile", "--full"], ["verify-audit"], ["balance"]):
        done = run(product, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr


def test_accounts_sessions_and_histories_work(product: Product) -> None:
    player = product.api.new_player()
    assert player.score(4).data["score"] == 4
    eventually(lambda: len(player.get(f"/api/score/{player.user_id}/history").data) == 1, 60, "the history")
    renewed = product.api.post("/api/tokens", {"refreshToken": player.refresh_token}).data
    assert product.api.request("DELETE", "/api/tokens", headers=player.authorization).status == 204
    assert player.score(1).status == 401
    assert product.api.post("/api/tokens", {"refreshToken": renewed["refreshToken"]}).status == 401
