"""Spans cost nobody anything who does not want them, and never stand in a request's way."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from shared.core.errors import InvalidIncrement, RedisUnavailable
from shared.core.invocation import OK, Invocation, outgoing
from shared.core.opentelemetry import MOST_LINKS, OpenTelemetryTracer
from shared.core.tracing import TraceContext, span, tracer, use_tracer
from tests.support.keys import new_keys
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parent.parent.parent
CONTEXT = SimpleNamespace(function_name="update_score", aws_request_id="r-1")
CAUSE = TraceContext("a1" * 16, "b2" * 8, 1, "vendor=1")
PROGRAM = """
import json, sys
from shared.container import container
container()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


class Kept(SpanExporter):
    """Keeps what it is given; may be held up, and may fail."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.result = SpanExportResult.SUCCESS

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.goes_on.wait(30)
        self.spans += spans
        return self.result


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    exporter = Kept()
    made = OpenTelemetryTracer("scoreboard", exporter)
    use_tracer(made)
    yield exporter
    use_tracer(None)
    exporter.goes_on.set()
    made.close()


def named(kept: Kept, name: str) -> ReadableSpan:
    return eventually(lambda: [span for span in kept.spans if span.name == name], 60, f"the span {name}")[0]


@pytest.mark.parametrize("endpoint", ["", "http://127.0.0.1:1"])
def test_nothing_is_loaded_unless_somebody_wants_it(endpoint: str) -> None:
    environment = {
        **new_keys(),
        "PYTHONPATH": str(ROOT),
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "AMQP_URL": "amqp://127.0.0.1:1/",
        "DATABASE_URL": "postgresql://ada:x@127.0.0.1:1/scoreboard",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
    }
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    loaded = {"opentelemetry", "google", "requests"} & set(json.loads(done.stdout))
    assert bool(loaded) is bool(endpoint)


def test_without_a_tracer_a_trace_is_passed_on_as_it_came() -> None:
    assert tracer() is None
    with Invocation("http", CONTEXT) as invocation:
        assert outgoing() == {}
        invocation.continues(CAUSE.headers())
        with span("anything", "client"):
            assert outgoing() == CAUSE.headers()
    assert outgoing() == {}


def test_spans_stand_below_each_other_and_below_their_cause(kept: Kept) -> None:
    with Invocation("http", CONTEXT) as invocation:
        invocation.continues(CAUSE.headers())
        with span("inside", "producer"):
            sent = outgoing()
        invocation.outcome = OK
    inside, whole = named(kept, "inside"), named(kept, "update_score")
    assert whole.parent is not None
    assert (f"{whole.parent.trace_id:032x}", f"{whole.parent.span_id:016x}") == CAUSE[:2]
    assert inside.parent is not None
    assert inside.parent.span_id == whole.context.span_id
    assert sent["traceparent"] == f"00-{CAUSE.trace_id}-{inside.context.span_id:016x}-01"
    assert sent["tracestate"] == "vendor=1"


def test_a_batch_links_to_all_of_its_causes(kept: Kept) -> None:
    causes = [CAUSE._replace(span_id=f"{number:016x}") for number in range(1, MOST_LINKS + 1)]
    with Invocation("queue", CONTEXT) as invocation:
        invocation.links = causes
        invocation.begin_span()
    batch = named(kept, "update_score")
    assert batch.parent is None
    assert [f"{link.context.span_id:016x}" for link in batch.links] == [cause.span_id for cause in causes]


def test_a_span_begins_with_its_invocation_even_if_the_tracer_came_later(kept: Kept) -> None:
    with Invocation("http", CONTEXT) as invocation:
        with span("before", "client"):
            pass
        invocation.begin_span()
    before, whole = named(kept, "before"), named(kept, "update_score")
    assert whole.start_time is not None
    assert before.end_time is not None
    assert whole.start_time <= before.end_time


@pytest.mark.parametrize(("error", "failed"), [(RedisUnavailable(), True), (InvalidIncrement(), False), (KeyError("x"), True)])
def test_only_our_own_faults_are_failures(kept: Kept, error: Exception, failed: bool) -> None:
    with Invocation("http", CONTEXT) as invocation:
        invocation.begin_span()
        invocation.failed(error)
    assert (not named(kept, "update_score").status.is_ok) is failed


def test_who_makes_spans_never_waits_for_the_collector(kept: Kept) -> None:
    kept.goes_on.clear()
    for _ in range(5000):  # more than its queue has room for
        with span("one", "client"):
            pass
    assert kept.spans == []
    kept.goes_on.set()
    assert named(kept, "one")


def test_no_end_is_put_off_for_a_collector_that_does_not_answer(kept: Kept) -> None:
    kept.goes_on.clear()
    with span("one", "client"):
        pass
    made = tracer()
    assert isinstance(made, OpenTelemetryTracer)
    made.close()
    assert kept.spans == []


def test_a_collector_that_takes_nothing_is_told_of_once(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    def said(name: str) -> list[str]:
        with span(name, "client"):
            pass
        named(kept, name)
        return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]

    kept.result = SpanExportResult.FAILURE
    said("first")
    said("second")
    kept.result = SpanExportResult.SUCCESS
    said("third")
    lost, back = "the collector takes no spans; they are lost", "the collector takes spans again"
    assert eventually(lambda: said("more") == [lost, back], 60, "told")
