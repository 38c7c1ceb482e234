"""What /metrics says of the running product: everything that METRICS.md promises, exactly, whatever process is asked."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from infra.monitoring.table import metrics_document
from local_runtime.version import product_version
from tests.support.api import frame_with
from tests.support.product import ROOT, Product
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("lifecycle")
UPDATES, WORKERS = 30, 2
T = TypeVar("T")
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \|", re.MULTILINE)
# Of these nothing need ever have happened.
RARE = {"scoreboard_redis_errors_total", "scoreboard_shard_outbox_entries", "scoreboard_shard_outbox_oldest_age_seconds"}


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    """One that has something to tell."""
    with Product(None, "--workers", str(WORKERS)) as running:
        _play(running)
        yield running


def _play(product: Product) -> None:
    player, other = product.api.new_player(), product.api.new_player()
    with player.watch() as viewer:
        for _ in range(UPDATES):
            assert player.score(1).status == 200
        frame_with(viewer, player.user_id, UPDATES, seconds=60)
    refused = product.api.post(f"/api/score/{other.user_id}", {"increment": 1}, player.authorization)
    assert refused.status == 403
    run = [sys.executable, "-m", "local_runtime"]
    for command in (["reconcile", "--dry-run"], ["invoke", "seal_audit", "-"]):
        subprocess.run([*run, *command, "--data-dir", str(product.data_dir)], cwd=ROOT, check=True, input=b"{}")


def scrape(product: Product) -> dict[str, Metric]:
    """Families by the names of the document."""
    answer = product.api.get("/metrics")
    assert answer.status == 200
    families = text_string_to_metric_families(answer.body.decode())
    return {f"{each.name}_total" if each.type == "counter" else each.name: each for each in families}


Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(product: Product) -> Samples:
    """All samples of one scrape."""
    return {key(each.name, **each.labels): each.value for family in scrape(product).values() for each in family.samples}


def key(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """A sample's name and labels."""
    return name, tuple(sorted(labels.items()))


def value(product: Product, name: str, **labels: str) -> float | None:
    """One sample; None when there is none."""
    return samples(product).get(key(name, **labels))


def test_what_happened_is_what_is_counted_over_all_workers(product: Product) -> None:
    update, history = {"function": "update_score"}, {"queue": "score_history_queue"}
    expected = {
        key("scoreboard_http_responses_total", **update, status="200"): UPDATES,
        key("scoreboard_http_responses_total", **update, status="403"): 1,
        key("scoreboard_function_invocations_total", **update, outcome="ok", trigger="http"): UPDATES + 1,
        key("scoreboard_function_in_flight", **update, trigger="http"): 0,
        key("scoreboard_refusals_total", code="not_your_score"): 1,
        key("scoreboard_postgresql_rows_inserted_total", table="score_history"): UPDATES,
        key("scoreboard_postgresql_rows_inserted_total", table="users"): 2,
        key("scoreboard_record_lag_seconds_count"): UPDATES,
        key("scoreboard_reconciliation_runs_total", dry_run="true"): 1,  # the nightly run is none
        key("scoreboard_build_info", version=product_version()): 1,
        key("scoreboard_outbox_entries"): 0,
        key("scoreboard_queue_messages", **history): 0,
        key("scoreboard_queue_oldest_message_age_seconds", **history): 0,
        key("scoreboard_queue_consumers", **history): 1,
    }

    def differing() -> dict[str, tuple[float | None, float]]:
        found = samples(product)
        return {str(each): (found.get(each), wanted) for each, wanted in expected.items() if found.get(each) != wanted}

    with suppress(AssertionError):
        eventually(lambda: not differing(), 60, "exact counts")
    assert differing() == {}, "counted, and expected"
    lookups = [value(product, "scoreboard_token_cache_lookups_total", result=result) for result in ("hit", "marked", "miss")]
    assert sum(filter(None, lookups)) >= UPDATES
    assert (value(product, "scoreboard_record_batch_size_sum") or 0) >= UPDATES
    assert (value(product, "scoreboard_broadcast_lag_seconds_count") or 0) > 0
    assert (value(product, "scoreboard_redis_command_duration_seconds_count", command="update_score") or 0) >= UPDATES


def stands_still(read: Callable[[], T]) -> T:
    """What was counted until now: workers tell it after at most a second."""
    found = read()
    while True:
        time.sleep(6)
        if (later := read()) == found:
            return found
        found = later


def test_the_signature_of_a_token_is_checked_by_one_of_the_workers_for_all(product: Product) -> None:
    def lookups() -> tuple[float, ...]:
        name = "scoreboard_token_cache_lookups_total"
        return tuple(value(product, name, result=result) or 0.0 for result in ("miss", "marked"))

    misses, marked = stands_still(lookups)
    player = product.api.new_player()

    def seen_by_both() -> bool:
        assert player.get(f"/api/score/{player.user_id}").status == 200
        return lookups() == (misses + 1, marked + WORKERS - 1)

    eventually(seen_by_both, 60, "both workers have seen the token")
    for _ in range(20):
        seen_by_both()
    assert seen_by_both()


def test_every_name_of_the_document_is_there_and_no_other(product: Product) -> None:
    rows = {name: (kind, set(re.findall(r"\w+", labels))) for name, kind, labels in ROW.findall(metrics_document()[1])}
    silent = "scoreboard_broadcast_frame_bytes"  # until the first frame
    families = eventually(lambda: found if (found := scrape(product))[silent].samples else {}, 60, "a frame")
    assert set(families) == set(rows)
    for name, family in families.items():
        kind, labels = rows[name]
        assert family.type == kind, name
        assert family.samples or name in RARE, f"{name} has no value"
        assert family.documentation not in ("", "Multiprocess metric")
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == labels, name


def test_a_process_that_dies_takes_no_count_with_it(product: Product) -> None:
    rows = {"table": "score_history"}
    before = value(product, "scoreboard_postgresql_rows_inserted_total", **rows)
    product.wait_replaced("consumer", product.kill("consumer"))
    eventually(lambda: value(product, "scoreboard_process_restarts_total", process="consumer") == 1, 60, "the restart counted")
    assert product.api.new_player().score(1).status == 200
    wanted = (before or 0) + 1
    eventually(lambda: value(product, "scoreboard_postgresql_rows_inserted_total", **rows) == wanted, 60, "one more row")


def test_a_store_that_does_not_answer_is_down_and_what_only_it_knows_has_no_value(product: Product) -> None:
    up = key("scoreboard_dependency_up", dependency="redis")

    def told(is_up: float) -> Samples:
        found = samples(product)
        return found if found.get(up) == is_up else {}

    product.kill("redis", signal.SIGSTOP)
    try:
        found = eventually(lambda: told(0), 60, "Redis being down")
    finally:
        product.kill("redis", signal.SIGCONT)
    assert key("scoreboard_outbox_entries") not in found
    assert key("scoreboard_queue_messages", queue="score_history_queue") in found
    assert key("scoreboard_outbox_entries") in eventually(lambda: told(1), 60, "Redis being back")
