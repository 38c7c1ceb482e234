"""What the layer measures, and how it leaves the process in CloudWatch's embedded metric format."""

from __future__ import annotations

import io
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from shared.core import metrics
from shared.core.errors import NotYourScore
from shared.core.invocation import Invocation
from shared.core.metrics.emf import MAX_METRICS, Changes, documents
from shared.core.metrics.export import export_metrics
from shared.core.metrics.instruments import Registry
from tests.support.embedded_metrics import UNITS, checked

CLOUDWATCH_VALUES = 100  # of a metric in a document; a histogram has one more than it has bounds
CONTEXT = SimpleNamespace(function_name="scoreboard-RecordScores", aws_request_id="r-1")


@pytest.fixture(autouse=True)
def nobody_collects() -> Iterator[None]:
    """Metrics leave nowhere once a test is over."""
    yield
    export_metrics("")


def test_a_bucket_ends_at_its_bound_and_a_sum_is_exact() -> None:
    histogram = Registry().histogram("x", "", bounds=(1.0, 10.0)).of()
    for value in (0.5, 1.0, 1.5, 100.0):
        histogram.observe(value)
    histogram.observe(2.5, times=3)
    assert histogram.read() == ((2, 4, 1), (1.5, 9.0, 100.0))


def test_every_family_has_a_name_and_bounds_that_others_can_use() -> None:
    families = metrics.registry.read()
    assert len({family.name for family in families}) == len(families)
    for family in families:
        assert family.name.startswith("scoreboard_")
        assert family.name.endswith("_total") == (family.kind == "counter"), family.name
        assert family.unit in UNITS
        assert list(family.bounds) == sorted(set(family.bounds))
        assert len(family.bounds) < CLOUDWATCH_VALUES
        assert bool(family.bounds) == (family.kind == "histogram")


def test_only_what_came_since_is_written_and_a_single_observation_as_it_was() -> None:
    registry, changes = Registry(), Changes()
    counter, histogram = registry.counter("a_total", "").of(), registry.histogram("b", "", bounds=(1.0, 10.0)).of()
    counter.inc(3)
    histogram.observe(7.25)
    [line] = documents(changes.of(registry.read()), "board", {"requestId": "r"})
    assert checked(line) == {
        "scoreboard_a_total": (3, {}),
        "scoreboard_b": ({"Values": [7.25], "Counts": [1]}, {}),
    }
    assert documents(changes.of(registry.read()), "board", {}) == []
    histogram.observe(2.0)
    histogram.observe(4.0)
    histogram.observe(100.0)
    [line] = documents(changes.of(registry.read()), "board", {})
    assert checked(line) == {"scoreboard_b": ({"Values": [3.0, 100.0], "Counts": [2, 1]}, {})}


def test_what_contradicts_itself_in_one_document_takes_two() -> None:
    registry = Registry()
    seconds = registry.histogram("seconds", "", ("command",), bounds=(1.0,))
    errors = registry.counter("errors_total", "", ("command",))
    for command in ("GET", "SET"):
        seconds.of(command).observe(0.5)
    errors.of("GET").inc()
    lines = documents(Changes().of(registry.read()), "board", {})
    by_command = {dimensions["command"]: set(found) for found in map(checked, lines) for _, dimensions in found.values()}
    assert len(lines) == 2
    assert by_command == {"GET": {"scoreboard_seconds", "scoreboard_errors_total"}, "SET": {"scoreboard_seconds"}}


def test_a_document_ends_where_the_format_does() -> None:
    registry = Registry()
    for number in range(MAX_METRICS + 1):
        registry.counter(f"n{number}_total", "").of().inc()
    assert sorted(len(checked(line)) for line in documents(Changes().of(registry.read()), "board", {})) == [1, MAX_METRICS]


def test_an_invocation_ends_with_its_metrics_in_the_log() -> None:
    stream = io.StringIO()
    export_metrics("scoreboard/test", stream)
    with Invocation("direct", CONTEXT):
        pass  # what other tests have counted goes with this one
    for _ in range(2):
        stream.seek(0)
        stream.truncate()
        with Invocation("http", CONTEXT) as invocation:
            metrics.queue_messages.of("score_history_queue").set(7)
            invocation.failed(NotYourScore())
            invocation.fields["status"] = 403
        found = {name: value for line in stream.getvalue().splitlines() for name, value in checked(line).items()}
        function = {"function": CONTEXT.function_name}
        assert found["scoreboard_function_invocations_total"] == (1, function | {"trigger": "http", "outcome": "ok"})
        assert found["scoreboard_function_duration_seconds"][0]["Counts"] == [1]
        assert found["scoreboard_http_responses_total"] == (1, function | {"status": "403"})
        assert found["scoreboard_refusals_total"] == (1, {"code": "not_your_score"})
        assert found["scoreboard_queue_messages"] == (7, {"queue": "score_history_queue"})


def test_an_invocation_that_fails_is_told_as_one_and_what_was_measured_before_is_not_told_again() -> None:
    stream = io.StringIO()
    export_metrics("scoreboard/test", stream)
    with Invocation("direct", CONTEXT):
        pass  # what other tests have counted goes with this one
    metrics.outbox_entries.of().set(3)
    for told in (True, False):
        stream.seek(0)
        stream.truncate()
        with pytest.raises(LookupError), Invocation("queue", CONTEXT):
            raise LookupError
        found = {name: value for line in stream.getvalue().splitlines() for name, value in checked(line).items()}
        assert found["scoreboard_function_invocations_total"][1]["outcome"] == "error"
        assert ("scoreboard_outbox_entries" in found) is told


def test_without_a_namespace_nothing_is_written_and_a_host_may_read(capsys: pytest.CaptureFixture[str]) -> None:
    export_metrics("")
    before = metrics.refusals.of("not_your_score").value
    with Invocation("direct", CONTEXT) as invocation:
        invocation.failed(NotYourScore())
    [refusals] = [family for family in metrics.registry.read() if family.name == "scoreboard_refusals_total"]
    assert refusals.values[("not_your_score",)] == before + 1
    assert "CloudWatchMetrics" not in capsys.readouterr().out
