"""One grep for an update's id over the log tells its whole story, and spans tell the same to a collector."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.collector import Collected, Collector, collecting
from tests.support.product import Product, new_data_dir, remove_data_dir
from tests.support.terminal import Shown
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("log-story")

SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5
SPAN = "b2" * 8


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def traced(collector: Collector) -> Iterator[Product]:
    """A product of its own, for its parts are killed; it sends its spans quickly."""
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with Product(None, "--workers", "1", **environment) as running:
        yield running


class Gamer:
    """A player with a token."""

    def __init__(self, product: Product) -> None:
        self._product = product
        credentials = {"username": f"gamer-{secrets.token_hex(6)}", "password": f"a password nobody has {secrets.token_hex(8)}"}
        self.user_id = product.api.post("/api/users", credentials).data["userId"]
        self._bearer = {"Authorization": f"Bearer {product.api.post('/api/tokens', credentials).data['accessToken']}"}

    def score(self, **headers: str) -> tuple[str, str]:
        """The ids of the exchange and of the update."""
        answer = self._product.api.post(f"/api/score/{self.user_id}", {"increment": 1}, {**self._bearer, **headers})
        assert answer.status == 200, answer.body
        assert "traceparent" not in {name.lower() for name in answer.headers}
        return answer.headers["X-Request-Id"], answer.data["requestId"]


def grep(product: Product, word: str) -> list[dict[str, Any]]:
    """`grep -h word logs/*.log*`, in the order in which it happened."""
    lines = [line for path in (product.data_dir / "logs").iterdir() for line in path.read_text().splitlines() if word in line]
    return sorted((json.loads(line) for line in lines), key=lambda line: str(line["at"]))


def story(product: Product, update_id: str) -> list[dict[str, Any]]:
    """Once it is whole: each process writes its lines in its own time."""

    def whole() -> list[dict[str, Any]]:
        lines = grep(product, update_id)
        return lines if {"update_score", "record_scores", "broadcast_scores"} <= set(functions(lines)) else []

    return eventually(whole, 60, "the whole story")


def functions(lines: list[dict[str, Any]]) -> list[str]:
    return [line.get("function", line.get("message", "")) for line in lines]


def test_the_story_of_an_update_is_told_from_its_acceptance_to_the_version_that_showed_it(traced: Product) -> None:
    gamer = Gamer(traced)
    exchange_id, update_id = gamer.score()
    lines = story(traced, update_id)
    assert sorted(functions(lines)) == ["broadcast_scores", "record_scores", "update_score"]
    told = {line["function"]: line for line in lines}
    assert (told["update_score"]["request_id"], told["update_score"]["user_id"]) == (exchange_id, gamer.user_id)
    assert (told["record_scores"]["new"], told["record_scores"]["outcome"]) == (1, "ok")
    assert told["broadcast_scores"]["version"] > 0


def test_a_consumer_that_was_killed_tells_the_rest_when_it_is_back(traced: Product) -> None:
    gamer = Gamer(traced)
    consumer = traced.kill("consumer", signal.SIGSTOP)
    _, update_id = gamer.score()
    os.kill(consumer, signal.SIGKILL)
    traced.wait_replaced("consumer", consumer)
    story(traced, update_id)
    restarts = grep(traced, "consumer was killed by SIGKILL")
    assert [line["level"] for line in restarts] == ["warning"]
    eventually(lambda: any("consumer was killed" in line for line in traced.output), 60, "the operator told")


def test_a_broker_that_is_away_makes_a_detour_that_is_told_too(traced: Product) -> None:
    gamer = Gamer(traced)
    story(traced, gamer.score()[1])  # who never published anything does not notice
    broker = traced.kill("rabbitmq", signal.SIGSTOP)  # and not away for so short a time that it is back before the update
    _, update_id = gamer.score()
    os.kill(broker, signal.SIGKILL)
    traced.wait_replaced("rabbitmq", broker, 60)
    eventually(lambda: grep(traced, "the broker is away; updates wait in the outbox"), 60, "noticed")
    lines = story(traced, update_id)
    accepted = next(line for line in lines if line.get("function") == "update_score")
    assert accepted["published"] is False
    told = {"updates published late", "updates published from the outbox"}
    eventually(lambda: told & {line.get("message") for line in grep(traced, update_id)}, 60, "how it was published")


def test_a_trace_goes_on_through_the_broker_to_the_viewers(traced: Product, collector: Collector) -> None:
    trace_id = secrets.token_hex(16)
    _, update_id = Gamer(traced).score(traceparent=f"00-{trace_id}-{SPAN}-01", tracestate="vendor=1")

    def arrived() -> dict[str, Collected]:
        spans = collector.of(trace_id)
        return spans if {"update_score", "publish score_history_queue"} <= set(spans) else {}

    spans = eventually(arrived, 60, "the collector has the spans")
    update, publish = spans["update_score"], spans["publish score_history_queue"]
    script = next(span for span in tuple(collector.spans) if span.parent_id == update.span_id and span.kind == CLIENT)
    assert (update.service, update.kind, update.parent_id, update.state) == ("scoreboard", SERVER, SPAN, "vendor=1")
    assert update.attributes["http.route"] == "POST /api/score/{user_id}"
    assert update.attributes["scoreboard.update_id"] == update_id
    assert (publish.kind, publish.parent_id, script.name) == (PRODUCER, update.span_id, "update_score")
    [batch] = eventually(lambda: collector.linked_to(publish, "record_scores"), 60, "the batch links to it")
    assert (batch.kind, batch.parent_id) == (CONSUMER, "")
    told = next(span for span in tuple(collector.spans) if span.parent_id == batch.span_id and span.kind == PRODUCER)
    assert eventually(lambda: collector.linked_to(told, "broadcast_scores"), 60, "the broadcast links to the batch")

    def told_of_it() -> list[str]:
        return [line["trace_id"] for line in grep(traced, update_id) if line.get("function") == "update_score"]

    assert eventually(told_of_it, 60, "the worker's line in the log") == [trace_id]


def test_a_caller_who_is_not_sampled_leaves_no_span(traced: Product, collector: Collector) -> None:
    unwanted, wanted = secrets.token_hex(16), secrets.token_hex(16)
    gamer = Gamer(traced)
    gamer.score(traceparent=f"00-{unwanted}-{SPAN}-00")
    gamer.score(traceparent=f"00-{wanted}-{SPAN}-01")
    eventually(lambda: collector.of(wanted), 60, "the other one arrived")
    assert collector.of(unwanted) == {}


def test_a_terminal_shows_in_colour_what_an_operator_should_see() -> None:
    data_dir = new_data_dir()
    arguments = ("serve", "--port", "0", "--workers", "1", "--data-dir", str(data_dir))
    running = Product(data_dir)
    try:
        with Shown(*arguments, columns=200) as terminal:
            eventually((data_dir / "runtime.json").exists, 90, "the product is ready")
            assert running.api.get("/healthz").status == 200
            assert running.api.post("/api/tokens", {"username": "nobody", "password": "a guess that is wrong"}).status == 401
            running.kill("consumer")
            terminal.wait_for("consumer was killed by SIGKILL; starting it again")
            terminal.wait_for("POST /api/tokens")
            text, raw = terminal.text, terminal.raw
            assert terminal.interrupt() == 0
    finally:
        remove_data_dir(data_dir)
    assert re.search(r"\d\d:\d\d:\d\d\.\d{3} warn  issue_token        401 invalid_credentials · POST /api/tokens", text)
    assert "check_health" not in text
    assert "\x1b[33mwarn" in raw
