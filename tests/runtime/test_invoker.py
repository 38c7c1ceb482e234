"""Handlers are called as Lambda calls them."""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import gevent
import pytest

from local_runtime.hosting.deadline import EXIT_OVERRUN, GeventDeadline, ProcessDeadline
from local_runtime.hosting.invoker import MAX_PAYLOAD_BYTES, FunctionError, FunctionTimedOut, Invoker, PayloadTooLarge
from local_runtime.hosting.load import parameters_from
from local_runtime.hosting.manifest import Function, Manifest
from local_runtime.metrics import in_flight
from shared.core.metrics import invocation_seconds, invocations


class Bench:
    """Functions made of source text, and an invoker for them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._before = self._ended()
        self.invoker = self.invoker_for()

    def invoker_for(self, *functions: Function, layers: tuple[Path, ...] = ()) -> Invoker:
        manifest = Manifest(functions, layers, (), (), (), None)
        return Invoker(manifest, GeventDeadline())

    @property
    def counted(self) -> list[tuple[str, ...]]:
        """Function, trigger and outcome of each invocation; none of them is still counted as one that goes on."""
        assert set(in_flight.read().values.values()) == {0}
        ended = self._ended()
        assert sum(sum(counts) for counts, _ in invocation_seconds.read().values.values()) == ended.total()
        return list((ended - self._before).elements())

    def _ended(self) -> Counter[tuple[str, ...]]:
        return Counter({labels: int(count) for labels, count in invocations.read().values.items()})

    def function(self, source: str, name: str = "play_game", timeout_seconds: int = 30, **environment: str) -> Function:
        directory = self._directory / name
        directory.mkdir()
        (directory / "handler.py").write_text(source)
        return Function("Play", name, directory, "handler.lambda_handler", timeout_seconds, 128, environment)

    def answer(self, body: str, event: object = None, **options: Any) -> Any:
        """What a handler with this body answers."""
        indented = "\n".join(f"    {line}" for line in body.splitlines())
        source = f"import gevent\ndef lambda_handler(event, context):\n{indented}\n"
        return self.invoker.invoke(self.function(source, **options), event, "r-1", trigger="test")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_handler_gets_the_event_and_the_context(bench: Bench) -> None:
    body = "return [event, context.function_name, context.aws_request_id, context.memory_limit_in_mb, context.function_version]"
    assert bench.answer(body, {"a": [1, None]}) == [{"a": [1, None]}, "play_game", "r-1", 128, "$LATEST"]
    assert bench.counted == [("play_game", "test", "ok")]


def test_the_context_counts_down(bench: Bench) -> None:
    assert 15_000 < bench.answer("return context.get_remaining_time_in_millis()") <= 30_000


def test_a_module_is_loaded_once(bench: Bench) -> None:
    function = bench.function("calls = []\ndef lambda_handler(event, context):\n    calls.append(1)\n    return len(calls)\n")
    assert [bench.invoker.invoke(function, None) for _ in range(3)] == [1, 2, 3]


def test_two_functions_with_the_same_file_name_do_not_meet(bench: Bench) -> None:
    functions = [bench.function(f"def lambda_handler(e, c): return {n}\n", name=f"f{n}") for n in (1, 2)]
    assert [bench.invoker.invoke(function, None) for function in functions] == [1, 2]


def test_a_handler_cannot_change_the_callers_event(bench: Bench) -> None:
    event = {"a": {"b": 1}}
    bench.answer("event['a']['b'] = 2", event)
    assert event == {"a": {"b": 1}}


def test_an_answer_goes_through_json(bench: Bench) -> None:
    assert bench.answer("return {1: (1, 2)}") == {"1": [1, 2]}


@pytest.mark.parametrize("value", ["b'x'", "{1, 2}", "object()", "__import__('datetime').datetime.now()"])
def test_an_answer_that_is_no_json_is_an_error(bench: Bench, value: str) -> None:
    with pytest.raises(FunctionError) as failed:
        bench.answer(f"return {value}")
    assert failed.value.error_type == "Runtime.MarshalError"


@pytest.mark.parametrize("statement", ["raise ValueError('no')", "__import__('sys').exit('no')"])
def test_an_exception_is_reported_with_its_type(bench: Bench, statement: str) -> None:
    with pytest.raises(FunctionError, match="no") as failed:
        bench.answer(statement)
    assert failed.value.error_type in {"ValueError", "SystemExit"}
    assert failed.value.__cause__ is not None
    assert bench.counted == [("play_game", "test", "error")]


@pytest.mark.parametrize(
    ("source", "error_type"),
    [
        ("import no_such_module\n", "Runtime.ImportModuleError"),
        ("def lambda_handler(:\n", "Runtime.ImportModuleError"),
        ("other = 1\n", "Runtime.HandlerNotFound"),
    ],
)
def test_a_handler_that_cannot_be_loaded_is_an_error_each_time(bench: Bench, source: str, error_type: str) -> None:
    function = bench.function(source)
    for _ in range(2):
        with pytest.raises(FunctionError) as failed:
            bench.invoker.invoke(function, None)
        assert failed.value.error_type == error_type
    assert "functions.play_game.handler" not in sys.modules


def test_a_missing_file_is_an_error(bench: Bench, tmp_path: Path) -> None:
    function = Function("Gone", "gone", tmp_path / "gone", "handler.lambda_handler", 2, 128, {})
    with pytest.raises(FunctionError, match="no module"):
        bench.invoker.invoke(function, None)


def test_a_handler_that_takes_too_long_is_interrupted(bench: Bench) -> None:
    with pytest.raises(FunctionTimedOut):
        bench.answer("gevent.sleep(60)", timeout_seconds=1)
    assert bench.counted == [("play_game", "test", "timeout")]


def test_a_handlers_own_gevent_timeout_is_not_ours(bench: Bench) -> None:
    with pytest.raises(gevent.Timeout):
        bench.answer("raise gevent.Timeout(1)")


def test_events_and_answers_over_6_mb_are_refused(bench: Bench) -> None:
    with pytest.raises(PayloadTooLarge) as request:
        bench.answer("return 1", "x" * MAX_PAYLOAD_BYTES)
    with pytest.raises(PayloadTooLarge) as response:
        bench.answer(f"return 'é' * {MAX_PAYLOAD_BYTES // 2}", name="other")
    assert (request.value.direction, response.value.direction) == ("request", "response")


def test_prepare_puts_layers_on_the_path_and_never_overrides_a_variable(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = tmp_path / "layer"
    layer.mkdir()
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(os, "environ", {"GAME_MODE": "given"})
    function = bench.function("", GAME_MODE="template", GAME_SPEED="fast")
    bench.invoker_for(function, layers=(layer,)).prepare()
    assert sys.path[0] == str(layer)
    assert os.environ == {"GAME_MODE": "given", "GAME_SPEED": "fast"}


def test_a_process_deadline_ends_the_process_of_an_overrun() -> None:
    ended: list[int] = []
    over = threading.Event()

    def end(code: int) -> None:
        ended.append(code)
        over.set()

    deadline = ProcessDeadline(end_process=end)
    assert deadline.run(lambda: over.wait(10), 0.05, "slow") is True
    assert ended == [EXIT_OVERRUN]


def test_a_process_deadline_leaves_quick_calls_alone() -> None:
    ended: list[int] = []
    deadline = ProcessDeadline(end_process=ended.append)
    assert [deadline.run(lambda: "done", 30, "quick") for _ in range(3)] == ["done"] * 3
    with pytest.raises(ValueError, match="no"):
        deadline.run(lambda: int("no"), 30, "failing")
    assert ended == []


def test_variables_become_parameters() -> None:
    assert parameters_from({"REDIS_URL": "r", "PUBLIC_LEADERBOARD": "true", "lower": "x"}) == {
        "RedisUrl": "r",
        "PublicLeaderboard": "true",
    }
