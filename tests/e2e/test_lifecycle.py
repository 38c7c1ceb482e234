"""Starting, stopping, dying and coming back: the product as an operator meets it."""

from __future__ import annotations

import json
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pg8000.native
import pytest
import redis

from local_runtime.instance.directory import InstanceDirectory
from tests.support.api import Answer, Player, frame_with
from tests.support.product import ROOT, Product, alive, clean_environment
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("lifecycle")


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    """A product of this module's own, for it is handled roughly."""
    with Product() as running:
        yield running


def ledger_sum(product: Product, user_id: str) -> int:
    return int(
        product.query("SELECT coalesce(sum(increment), 0) FROM score_history WHERE user_id = :user_id", user_id=user_id)[0][0]
    )


def test_it_stops_cleanly_and_comes_back_with_its_data() -> None:
    with Product() as product:
        runtime = product.runtime
        assert {"http", "consumer", "scheduler", "redis", "rabbitmq", "postgresql"} <= set(runtime["processes"])
        assert stat.S_IMODE((product.data_dir / "runtime.json").stat().st_mode) == 0o600
        player = product.api.new_player()
        assert player.score(5).status == 200
        children = product.children()
        assert len(children) >= 6
        assert product.stop() == 0
        assert [pid for pid in children if alive(pid)] == []
        assert not (product.data_dir / "runtime.json").exists()

        product.start()
        player.api = product.api
        assert player.standing()["score"] == 5
        eventually(lambda: player.score(1).status == 200, 60, "updates of the last minute counted again")
        eventually(lambda: ledger_sum(product, player.user_id) == 6, 60, "the ledger")
        assert player.standing()["score"] == 6
        with player.watch() as viewer:
            assert json.loads(viewer.recv(timeout=60))["type"] == "leaderboard"


def test_two_instances_run_side_by_side_and_keep_apart() -> None:
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(lambda _: Product().start(), range(2))
    try:
        player = one.api.new_player()
        assert (
            two.api.post("/api/tokens", {"username": player.username, "password": "correct horse battery staple"}).status == 401
        )
        assert two.api.get("/api/scores", **player.authorization).status == 401
    finally:
        one.destroy()
        two.destroy()


def test_one_data_directory_serves_one_instance_only(product: Product) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "local_runtime", "serve", "--port", "0", "--data-dir", str(product.data_dir)],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode != 0
    assert "Traceback" not in second.stderr
    assert str(product.process.pid if product.process else "") in second.stdout + second.stderr


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["consumer", "scheduler", "redis", "rabbitmq", "postgresql", "http"])
def test_a_killed_process_is_replaced_and_nothing_acknowledged_is_lost(product: Product, name: str) -> None:
    player = product.api.new_player()
    acknowledged = sum(2 for _ in range(10) if player.score(2).status == 200)
    old_pid = product.kill(name)
    acknowledged += sum(3 for _ in range(10) if _score_quietly(player, 3))
    product.wait_replaced(name, old_pid)
    eventually(lambda: _is_ready(product), 60, "ready again")
    eventually(lambda: player.score(1).status == 200, 90, "an update accepted, by a Redis that knows the last minute's again")
    acknowledged += 1
    assert player.standing()["score"] >= acknowledged
    eventually(lambda: ledger_sum(product, player.user_id) >= acknowledged, 90, "the ledger caught up")
    # What a killed process had counted and not published waits in the outbox for the relay, which comes every minute.
    eventually(lambda: ledger_sum(product, player.user_id) == player.standing()["score"], 90, "board and ledger agree")


def test_what_somebody_removes_from_memory_is_made_again(product: Product) -> None:
    directory = InstanceDirectory(product.data_dir)
    shutil.rmtree(directory.run.resolve())
    eventually(directory.manifest_file.exists, 60, "it is there again")
    old_pid = product.kill("consumer")
    product.wait_replaced("consumer", old_pid)
    player = product.api.new_player()
    eventually(lambda: player.score(2).status == 200, 60, "an update accepted")
    eventually(lambda: ledger_sum(product, player.user_id) == 2, 60, "the update recorded")
    # The worker tells what it counts, as before.
    eventually(lambda: b'function="update_score",outcome="ok"' in product.api.get("/metrics").body, 60, "what workers count")


def _is_ready(product: Product) -> bool:
    """Whether every part works again. /readyz tells what was found seconds ago, and is 200 also without some of the parts."""
    try:
        product.query("SELECT 1")
        answer = product.api.get("/readyz")
    except (OSError, pg8000.native.Error):
        return False
    return answer.status == 200 and answer.data["status"] == "ready"


def _score_quietly(player: object, increment: int) -> bool:
    try:
        return bool(player.score(increment).status == 200)  # type: ignore[attr-defined]
    except OSError:
        return False


def test_a_broker_killed_the_moment_it_first_serves_comes_back_with_its_queues() -> None:
    with Product(None) as fresh:
        old_pid = fresh.kill("rabbitmq")
        player = fresh.api.new_player()
        assert player.score(4).status == 200
        fresh.wait_replaced("rabbitmq", old_pid)
        eventually(lambda: ledger_sum(fresh, player.user_id) == 4, 90, "the points in the ledger")


def refused_after_a_loss(client: redis.Redis, player: Player, key: dict[str, str]) -> Answer | None:
    """None where Redis was filled again before this was asked."""
    client.flushall()
    answer = player.score(3, **key)
    if answer.status == 200:
        assert answer.headers["Idempotency-Replayed"] == "true"
    return None if answer.status in (200, 429) else answer


def test_an_empty_redis_is_filled_again_within_seconds(product: Product) -> None:
    """And until then no update is answered with a score; viewers see the board that is back."""
    player = product.api.new_player()
    assert player.score(5).data["score"] == 5
    key = {"Idempotency-Key": "first-result"}
    first = player.score(3, **key).data
    eventually(lambda: ledger_sum(product, player.user_id) == 8, 60, "both in the ledger")
    with player.watch() as viewer, product.redis() as client:
        refused = eventually(lambda: refused_after_a_loss(client, player, key), 60, "a refusal before it is filled again")
        assert refused is not None
        assert (refused.status, refused.json["code"]) == (503, "leaderboard_rebuilding")
        assert int(refused.headers["Retry-After"]) >= 1

        def once_more() -> Answer | None:
            answer = player.score(3, **key)
            return answer if answer.status == 200 else None

        again = eventually(once_more, 60, "updates taken again")
        assert again is not None
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.data["score"] == first["score"]
        assert player.score(1).data["score"] == 9
        frame_with(viewer, player.user_id, 9)


def test_messages_of_a_killed_consumer_are_recorded_by_its_successor(product: Product) -> None:
    player = product.api.new_player()
    stopped = product.kill("consumer", signal.SIGSTOP)
    for _ in range(20):
        assert player.score(1).status == 200
    assert ledger_sum(product, player.user_id) == 0
    product.kill("consumer", signal.SIGKILL)
    product.wait_replaced("consumer", stopped)
    eventually(lambda: ledger_sum(product, player.user_id) == 20, 60, "all 20 updates in the ledger")
    with player.watch() as viewer:
        frame_with(viewer, player.user_id, 20)


def test_a_plain_text_listener_on_other_addresses_is_refused(tmp_path: Path) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "local_runtime", "serve", "--host", "0.0.0.0", "--data-dir", str(tmp_path)],  # noqa: S104
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert refused.returncode != 0
    assert "--insecure" in refused.stdout + refused.stderr
