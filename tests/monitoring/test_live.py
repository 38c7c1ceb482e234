"""The product under a real Prometheus: everything that is asked has an answer, and what breaks is told and forgotten again."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pika
import pytest
from playwright.sync_api import Browser

from infra.monitoring.dashboards import runbook
from infra.monitoring.dashboards.document import dashboards
from shared.core.amqp import url_parameters
from tests.monitoring.drawing import page
from tests.monitoring.prometheus import SHORTEST_SECONDS, Prometheus
from tests.monitoring.rules import groups
from tests.support.api import Api, Player
from tests.support.product import ROOT, Product, clean_environment
from tests.support.waiting import eventually

PLAYED = ("simulate", "--players", "8", "--seconds", "12")
WAIT_SECONDS = 150.0
PICTURES = ROOT / "dist" / "monitoring"
DASHBOARDS: dict[str, Any] = {path.stem: json.loads(text) for path, text in dashboards() if path.stem != runbook.UID}
# What only a fault, or the first minute, brings: then the series without these labels is asked for.
FAULTS = (',status=~"5.."', ',trigger="schedule",outcome!="ok"')

pytestmark = [pytest.mark.xdist_group("monitored"), pytest.mark.timeout(600)]


@dataclass(frozen=True, slots=True)
class Monitored:
    """A product that has been played on, the Prometheus that watched it, and one of its players."""

    product: Product
    prometheus: Prometheus
    player: Player

    def ask(self, expr: str) -> str:
        """A panel's query as Grafana would send it."""
        return expr.replace("$job", "scoreboard").replace("$__rate_interval", f"{SHORTEST_SECONDS}s")

    def verb(self, *arguments: str, given: str = "") -> None:
        """Run a verb of the command line against the product."""
        command = [sys.executable, "-m", "local_runtime", *arguments, "--data-dir", str(self.product.data_dir)]
        done = subprocess.run(
            command, cwd=ROOT, env=clean_environment(), input=given, capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def expect_firing(self, *alerts: str) -> None:
        """Wait until all of these fire."""
        eventually(lambda: self.prometheus.firing() >= set(alerts), WAIT_SECONDS, f"{alerts} firing")

    def expect_cleared(self, *alerts: str) -> None:
        """Wait until none of these does."""
        eventually(lambda: not self.prometheus.firing() & set(alerts), WAIT_SECONDS, f"{alerts} cleared")


@pytest.fixture(scope="module")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    """With a proxy before it nobody is local to the product, so Prometheus needs its token, and TLS to send it over."""
    token = secrets.token_urlsafe()
    with ExitStack() as stack:
        product = stack.enter_context(Product(None, "--tls", METRICS_TOKEN=token, SCOREBOARD_TRUSTED_PROXIES="127.0.0.1"))
        ca_file = Path(product.runtime["ca_file"])
        api = Api(product.base_url, ssl.create_default_context(cafile=ca_file))
        assert api.get("/metrics").status == 403
        target = urlsplit(product.base_url).netloc
        prometheus = stack.enter_context(Prometheus(tmp_path_factory.mktemp("prometheus"), target, token, ca_file))
        made = Monitored(product, prometheus, api.new_player())
        # What happens before the second look shows in no rate.
        eventually(lambda: prometheus.query("sum_over_time(up[1m]) > 1"), WAIT_SECONDS, "two looks at /metrics")
        made.verb(*PLAYED)
        assert made.player.score(6).status == 422
        product.wait_replaced("consumer", product.kill("consumer"))
        made.verb("reconcile")
        made.verb("invoke", "seal_audit", "-", given="{}")
        yield made


def test_every_query_of_every_panel_has_data(monitored: Monitored) -> None:
    queries = {
        f"{panel['title']}: {target['expr']}": monitored.ask(target["expr"])
        for dashboard in DASHBOARDS.values()
        for panel in dashboard["panels"]
        for target in panel.get("targets", [])
    }

    def missing() -> list[str]:
        return [
            name for name, expr in queries.items() if not any(series.known for series in monitored.prometheus.query_range(expr))
        ]

    assert len(queries) > len(DASHBOARDS) * 20
    try:
        eventually(lambda: not missing(), WAIT_SECONDS)
    except AssertionError:
        pytest.fail("no data:\n" + "\n".join(missing()))


def test_every_rule_is_well_and_made_of_series_that_exist(monitored: Monitored) -> None:
    rules = eventually(monitored.prometheus.rules, WAIT_SECONDS, "the rules")
    assert len(rules) == sum(len(group["rules"]) for group in groups())
    for rule in rules:
        assert rule["health"] == "ok", (rule["name"], rule.get("lastError"))
    selectors = {
        selector
        for group in groups()
        for rule in group["rules"]
        for selector in re.findall(r"\b(?:scoreboard[:_]|up\b)[\w:]*(?:\{[^}]*\})?", rule["expr"])
    }
    for fault in FAULTS:
        selectors = {selector.replace(fault, "") for selector in selectors}
    eventually(
        lambda: all(monitored.prometheus.query(selector) for selector in selectors),
        WAIT_SECONDS,
        f"all of {sorted(selectors)}",
    )


def test_a_healthy_product_alarms_nobody(monitored: Monitored) -> None:
    """How fast it is on the machine of the tests is another matter."""
    alerts = {rule["name"] for rule in monitored.prometheus.rules() if rule["type"] == "alerting"}
    monitored.expect_cleared(*(alert for alert in alerts if not alert.startswith(("UpdateLatency", "BroadcastLag"))))


def test_a_poison_message_is_told_until_it_is_discarded(monitored: Monitored) -> None:
    runtime = monitored.product.runtime
    with pika.BlockingConnection(url_parameters(runtime["amqp_url"], runtime["ca_file"])) as connection:
        channel = connection.channel()
        channel.basic_publish("", "score_history_queue", b"poison")
        monitored.expect_firing("DeadLetters")
    monitored.verb("dead-letters", "discard", "--all", "--reason", "a test sent it")
    monitored.expect_cleared("DeadLetters")


def test_a_broker_that_is_away_is_told_and_what_waits_for_it(monitored: Monitored) -> None:
    stopped = monitored.product.kill("rabbitmq", signal.SIGSTOP)
    try:
        assert monitored.player.score(5).status == 200
        monitored.expect_firing("DependencyDown", "OutboxOld")
    finally:
        os.kill(stopped, signal.SIGCONT)
    monitored.verb("invoke", "relay_outbox", "-", given="{}")
    monitored.expect_cleared("DependencyDown", "OutboxOld")


def test_the_panels_can_be_looked_at(monitored: Monitored, browser: Browser) -> None:
    """The pictures are in dist/monitoring."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, dashboard in DASHBOARDS.items():
        span = monitored.prometheus.began_at, time.time()
        drawn = page(dashboard, lambda expr: monitored.prometheus.query_range(monitored.ask(expr)), span)
        (PICTURES / f"{name}.html").write_text(drawn)
        visitor = browser.new_page(viewport={"width": 1600, "height": 900})
        visitor.goto((PICTURES / f"{name}.html").as_uri())
        visitor.screenshot(path=PICTURES / f"{name}.png", full_page=True)
        assert visitor.locator("section").count() == sum(panel["type"] != "row" for panel in dashboard["panels"])
        assert visitor.locator(".no-data").count() == 0
        assert visitor.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_product_that_is_gone_is_told(monitored: Monitored) -> None:
    monitored.product.stop()
    monitored.expect_firing("ScrapeDown")
