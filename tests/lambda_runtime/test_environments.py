"""The stand-in of Lambda itself, with functions made for it: what one may see, when one is frozen, ended or replaced."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local_runtime.hosting.invoker import FunctionError, FunctionTimedOut, PayloadTooLarge
from local_runtime.hosting.manifest import Function
from tests.lambda_runtime.functions import Functions
from tests.lambda_runtime.packages import Packages, write_zip
from tests.support.waiting import eventually

HANDLER = b"""
import os, sys, threading, time

import helpers

COUNT = [0, 0]


def count():
    while True:
        COUNT[1] += 1
        time.sleep(0.001)


threading.Thread(target=count, daemon=True).start()


def lambda_handler(event, context):
    COUNT[0] += 1
    kind = event.get("kind")
    if kind == "large":
        return "x" * event["size"]
    if kind == "slow":
        time.sleep(event["seconds"])
    if kind == "exit":
        os._exit(3)
    if kind == "raise":
        raise ValueError("no")
    if kind == "meet":
        open(os.environ["PLACE"] + "/" + event["me"], "w").close()
        while not os.path.exists(os.environ["PLACE"] + "/" + event["other"]):
            time.sleep(0.01)
    return {
        "event": event,
        "pid": os.getpid(),
        "calls": COUNT[0],
        "ticks": COUNT[1],
        "helper": helpers.NAME,
        "request_id": context.aws_request_id,
        "remaining": context.get_remaining_time_in_millis(),
        "function": context.function_name,
        "variables": sorted(name for name in os.environ if name.isupper()),
        "import_path": sys.path,
    }
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    directory = tmp_path_factory.mktemp("functions")
    write_zip(directory / "layer.zip", {"python/helpers.py": b"NAME = 'from the layer'\n"})
    write_zip(directory / "probe.zip", {"handler.py": HANDLER})
    write_zip(directory / "needy.zip", {"handler.py": b"import pytest\n\n\ndef lambda_handler(event, context): ...\n"})
    return Packages(directory, directory / "unpacked")


@pytest.fixture
def functions(packages: Packages, tmp_path: Path) -> Iterator[Functions]:
    made = Functions(packages, {"probe": {"PLACE": str(tmp_path), "GREETING": "hello"}, "needy": {}})
    yield made
    made.close()


def function(name: str = "probe", seconds: int = 20, handler: str = "handler.lambda_handler") -> Function:
    return Function(name.capitalize(), name, Path(), handler, seconds, 256, {})


def test_a_function_sees_its_task_the_layer_and_the_runtime_and_nothing_else(functions: Functions) -> None:
    answer = functions.invoke(function(), {"name": "Ada"}, "request-1")
    assert answer["event"] == {"name": "Ada"}
    assert (answer["helper"], answer["request_id"], answer["function"]) == ("from the layer", "request-1", "probe")
    assert 0 < answer["remaining"] <= 20_000
    assert not [path for path in answer["import_path"] if "site-packages" in path]
    assert {"PLACE", "GREETING", "AWS_REGION", "AWS_LAMBDA_RUNTIME_API"} <= set(answer["variables"])
    assert {"HOME", "USER", "VIRTUAL_ENV"}.isdisjoint(answer["variables"])


def test_what_is_neither_in_the_task_nor_in_the_layer_cannot_be_imported(functions: Functions) -> None:
    with pytest.raises(FunctionError, match="No module named 'pytest'"):
        functions.invoke(function("needy"), {})


def test_a_handler_that_is_not_there_is_named(functions: Functions) -> None:
    with pytest.raises(FunctionError, match=r"HandlerNotFound.*'main' missing"):
        functions.invoke(function(handler="handler.main"), {})


def test_an_environment_takes_one_event_after_another_and_is_frozen_between_them(functions: Functions) -> None:
    first = functions.invoke(function(), {})
    [environment] = functions.idle("probe")
    eventually(lambda: environment.is_frozen, 60, "the freeze")
    second, third = functions.invoke(function(), {}), functions.invoke(function(), {})
    assert (first["pid"], second["pid"], third["pid"]) == (environment.process.pid,) * 3
    assert [answer["calls"] for answer in (first, second, third)] == [1, 2, 3]
    assert functions.started == 1


def test_events_at_the_same_time_have_environments_of_their_own(functions: Functions) -> None:
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(
            lambda pair: functions.invoke(function(), {"kind": "meet", "me": pair[0], "other": pair[1]}), (("a", "b"), ("b", "a"))
        )
    assert one["pid"] != other["pid"]
    assert functions.started == 2


def test_an_environment_that_is_taken_away_is_replaced(functions: Functions) -> None:
    first = functions.invoke(function(), {})
    functions.recycle("probe")
    second = functions.invoke(function(), {})
    assert (second["calls"], first["pid"] != second["pid"]) == (1, True)


def test_an_error_of_the_handler_keeps_the_environment(functions: Functions) -> None:
    with pytest.raises(FunctionError, match="ValueError: no"):
        functions.invoke(function(), {"kind": "raise"})
    assert functions.invoke(function(), {})["calls"] == 2


def test_a_process_that_ends_fails_its_event_and_no_other(functions: Functions) -> None:
    with pytest.raises(FunctionError, match=r"Runtime\.ExitError.* exited with 3"):
        functions.invoke(function(), {"kind": "exit"})
    assert functions.invoke(function(), {})["calls"] == 1


def test_a_function_that_takes_longer_than_it_may_is_ended(functions: Functions) -> None:
    assert functions.invoke(function(seconds=8), {})["calls"] == 1
    [environment] = functions.idle("probe")
    with pytest.raises(FunctionTimedOut):
        functions.invoke(function(seconds=8), {"kind": "slow", "seconds": 60})
    assert environment.process.returncode == -9


def test_an_answer_may_have_6_mb_and_no_more(functions: Functions) -> None:
    limit = 6 * 1024 * 1024
    assert len(functions.invoke(function(), {"kind": "large", "size": limit - 2})) == limit - 2
    with pytest.raises(PayloadTooLarge) as refused:
        functions.invoke(function(), {"kind": "large", "size": limit - 1})
    assert refused.value.direction == "response"
    with pytest.raises(PayloadTooLarge) as refused:
        functions.invoke(function(), "x" * limit)
    assert refused.value.direction == "request"
