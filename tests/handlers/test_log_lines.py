"""The one line of an invocation, for every kind of event."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import uuid4

import pytest

from shared.container import Container
from shared.core.errors import InvalidInput, PostgresUnavailable
from shared.core.invocation import MAX_UPDATES
from shared.ledger.events import ScoresRecorded
from tests.handlers.conftest import Redeploy
from tests.handlers.consumer import ACCEPTED_AT, DEAD_LETTERS, HISTORY, RETRIES, UPDATED, Bench
from tests.handlers.events import REQUEST_ID, call, invoke, websocket_event
from tests.handlers.players import board_in_agreement, new_player

Capture = pytest.CaptureFixture[str]
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ALWAYS = {"at": str, "level": str, "trigger": str, "function": str, "request_id": str, "outcome": str, "duration_ms": float}


def told(capture: Capture, function: str) -> list[dict[str, Any]]:
    """The lines of the function's invocations, each held against what all of them have."""
    lines = [json.loads(line) for line in capture.readouterr().err.splitlines()]
    found = [line for line in lines if line.get("function") == function and "trigger" in line]
    for line in found:
        assert {name: type(line.get(name)) for name in ALWAYS} == ALWAYS
        assert list(line)[: len(ALWAYS)] == list(ALWAYS)
        assert INSTANT.fullmatch(line["at"])
        assert line["duration_ms"] >= 0
    return [{name: value for name, value in line.items() if name not in ("at", "duration_ms")} for line in found]


def test_an_accepted_update_tells_both_of_its_ids(deployed: Container, capsys: Capture) -> None:
    player = new_player(deployed)
    update_id = player.score(3).data["requestId"]
    assert told(capsys, "update_score") == [
        {
            "level": "info",
            "trigger": "http",
            "function": "update_score",
            "request_id": REQUEST_ID,
            "outcome": "ok",
            "user_id": player.user_id,
            "update_id": update_id,
            "route": "POST /api/score/{user_id}",
            "status": 200,
        }
    ]


def test_an_update_that_waits_for_the_broker_and_one_that_is_a_repetition_say_so(redeploy: Redeploy, capsys: Capture) -> None:
    deployed = redeploy(AMQP_URL="amqp://127.0.0.1:1/")
    player = new_player(deployed)
    update_id = player.score(3, idempotency_key="k").data["requestId"]
    player.score(3, idempotency_key="k")
    first, second = told(capsys, "update_score")
    assert (first["update_id"], first["published"], "replayed" in first) == (update_id, False, False)
    assert (second["update_id"], second["replayed"]) == (update_id, True)


def test_a_refusal_that_matters_stands_out_and_a_slip_does_not(deployed: Container, capsys: Capture) -> None:
    player, other = new_player(deployed), new_player(deployed)
    player.score(99)
    path = {"user_id": other.user_id}
    call("update_score", "POST /api/score/{user_id}", path_parameters=path, headers=player.authorization, body={"increment": 1})
    slip, attempt = told(capsys, "update_score")
    assert (slip["level"], slip["outcome"], slip["status"], slip["user_id"]) == ("info", "invalid_increment", 422, player.user_id)
    assert (attempt["level"], attempt["outcome"], attempt["user_id"]) == ("warning", "not_your_score", player.user_id)


def test_a_store_that_is_away_is_told_with_its_cause(redeploy: Redeploy, capsys: Capture) -> None:
    player = new_player(redeploy())
    redeploy(REDIS_URL="redis://127.0.0.1:1/0")
    player.score()
    [line] = told(capsys, "update_score")
    assert (line["level"], line["outcome"], line["status"]) == ("warning", "leaderboard_unavailable", 503)
    assert "Connect" in line["cause"]


def test_what_nobody_expected_is_an_error_with_a_traceback_under_the_same_id(
    deployed: Container, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = new_player(deployed)
    monkeypatch.setitem(vars(deployed), "leaderboard", None)
    player.score()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    traceback, line = [line for line in lines if line.get("function") == "update_score"]
    assert (line["level"], line["outcome"], line["status"]) == ("error", "internal_error", 500)
    assert traceback["request_id"] == line["request_id"] == REQUEST_ID
    assert "AttributeError" in traceback["traceback"]


def test_a_batch_names_its_updates_and_counts_them(bench: Bench, capsys: Capture) -> None:
    player = new_player(bench.deployed)
    events = [bench.event(player.user_id), bench.event(player.user_id), bench.event(str(uuid4()))]
    bench.record(b"{}", *map(bench.codec.update, events))
    output = capsys.readouterr().err
    lines = [json.loads(line) for line in output.splitlines()]
    ids = [event.request_id for event in events]
    [line] = [line for line in lines if "trigger" in line]
    assert line["trigger"] == "queue"
    assert {name: line[name] for name in ("queue", "messages", "redelivered", "new", "retried", "parked", "updates")} == {
        "queue": HISTORY,
        "messages": 4,
        "redelivered": 0,
        "new": 2,
        "retried": 1,
        "parked": 1,
        "updates": ids,
    }
    retried, parked = (next(line for line in lines if line.get("message") == f"updates {word}") for word in ("retried", "parked"))
    assert (retried["reason"], retried["updates"], retried["attempts"]) == ("unknown user", ids[2:], 1)
    assert (parked["reason"], parked["updates"], parked["count"]) == ("not a message of score_history_queue", [], 1)
    assert retried["request_id"] == parked["request_id"] == line["request_id"]


def test_a_message_that_is_tried_again_or_parked_keeps_its_trace(bench: Bench) -> None:
    parent = f"00-{'a1' * 16}-{'b2' * 8}-01"
    stranger = bench.codec.update(bench.event(str(uuid4())))
    bench.record(stranger, b"{}", traceparent=parent, tracestate="vendor=1")
    for queue in (RETRIES[0], DEAD_LETTERS):
        [(properties, _)] = bench.drain(queue)
        assert (properties.headers["traceparent"], properties.headers["tracestate"]) == (parent, "vendor=1"), queue


def test_a_batch_that_comes_back_names_its_updates_too(bench: Bench, redeploy: Redeploy, capsys: Capture) -> None:
    event = bench.event(new_player(bench.deployed).user_id)
    body = bench.codec.update(event)
    redeploy(DATABASE_URL="postgresql://ada:x@127.0.0.1:1/scoreboard")
    with pytest.raises(PostgresUnavailable):
        bench.deliver("record_scores", HISTORY, body)
    [line] = told(capsys, "record_scores")
    assert (line["level"], line["outcome"], line["updates"]) == ("warning", "database_unavailable", [event.request_id])


def test_a_broadcast_tells_its_version_and_which_updates_are_in_it(bench: Bench, capsys: Capture) -> None:
    ids = [tuple(str(uuid4()) for _ in range(MAX_UPDATES - 100)) for _ in range(2)]
    bodies = [bench.codec.recorded(ScoresRecorded(len(some), ACCEPTED_AT, some)) for some in ids]
    bench.deliver("broadcast_scores", UPDATED, *bodies)
    output = capsys.readouterr().err
    assert max(map(len, output.splitlines())) < 32_000  # what one event of CloudWatch holds, several times over
    lines = [line for line in map(json.loads, output.splitlines()) if "trigger" in line]
    assert [len(line["updates"]) for line in lines] == [MAX_UPDATES, MAX_UPDATES - 200]
    assert lines[0]["updates"] + lines[1]["updates"] == [each for some in ids for each in some]
    assert lines[0]["version"] == lines[1]["version"] > 0


def test_a_batch_tells_the_broadcast_which_updates_it_holds(bench: Bench) -> None:
    events = [bench.event(new_player(bench.deployed).user_id) for _ in range(3)]
    bench.record(*map(bench.codec.update, events))
    [(_, body)] = bench.drain(UPDATED)
    assert bench.codec.open_recorded(body).request_ids == tuple(event.request_id for event in events)


def test_a_schedule_tells_its_result_and_a_queue_that_woke_its_function(redeploy: Redeploy, capsys: Capture) -> None:
    invoke("seal_audit", {})
    [seal] = told(capsys, "seal_audit")
    with board_in_agreement(redeploy):
        capsys.readouterr()
        invoke("rebuild_leaderboard", {"rmqMessagesByQueue": {}})
    [rebuild] = told(capsys, "rebuild_leaderboard")
    assert (seal["trigger"], seal["outcome"], set(seal["result"])) == ("schedule", "ok", {"seals", "rows"})
    assert (rebuild["trigger"], rebuild["result"]["rebuilt"]) == ("queue", False)


def test_a_called_function_keeps_its_answer_to_itself(deployed: Container, capsys: Capture) -> None:
    password = f"a password nobody has {uuid4()}"
    account = invoke("create_user", {"username": f"Ada-{uuid4().hex[:8]}", "password": password, "role": "player"})
    with pytest.raises(InvalidInput):
        invoke("create_user", [password])
    output = capsys.readouterr().err
    assert password not in output
    assert account["apiKey"] not in output
    made, refused = [line for line in map(json.loads, output.splitlines()) if "trigger" in line]
    assert (made["trigger"], made["outcome"], made["user_id"]) == ("direct", "ok", account["userId"])
    assert refused["outcome"] == "invalid_parameter"


def test_a_handshake_tells_who_was_let_in_and_who_was_not(deployed: Container, capsys: Capture) -> None:
    player = new_player(deployed)
    invoke("ws_connect", websocket_event("$connect", headers=player.authorization))
    invoke("ws_connect", websocket_event("$connect", headers={"Authorization": "Bearer nonsense"}))
    admitted, refused = told(capsys, "ws_connect")
    assert (admitted["trigger"], admitted["route"], admitted["outcome"]) == ("websocket", "$connect", "ok")
    assert (admitted["status"], admitted["user_id"]) == (200, player.user_id)
    assert (refused["level"], refused["outcome"], refused["status"]) == ("warning", "invalid_token", 401)


def test_a_level_above_leaves_the_ordinary_lines_out(redeploy: Redeploy, capsys: Capture) -> None:
    player = new_player(redeploy(LOG_LEVEL="WARNING"))
    player.score()
    player.score(x_api_key="not the key")
    redeploy(LOG_LEVEL="INFO")
    [line] = told(capsys, "update_score")
    assert line["outcome"] == "invalid_api_key"
