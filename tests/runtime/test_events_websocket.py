"""Conversion of the life of a WebSocket, against API Gateway's own payloads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_runtime.gateway.websocket.ids import ConnectionIds
from local_runtime.gateway.websocket.selection import route_selector
from local_runtime.hosting.events.identity import ApiIdentity
from local_runtime.hosting.events.sample import SAMPLES
from local_runtime.hosting.events.websocket import Peer, connect_event, disconnect_event, message_event, new_id, websocket_answer

EVENTS = SAMPLES
PROD = ApiIdentity(stage="prod", api_id="w1x2y3z4a5")


def load(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((EVENTS / name).read_text())
    document.get("requestContext", {}).pop("authorizer", None)
    return document


def peer_of(context: dict[str, Any]) -> Peer:
    return Peer(
        connection_id=context["connectionId"],
        host=context["domainName"],
        source_ip=context["identity"]["sourceIp"],
        user_agent=context["identity"]["userAgent"],
        connected_at=context["connectedAt"] / 1000,
    )


def test_a_handshake_becomes_exactly_the_connect_event_of_api_gateway() -> None:
    expected = load("ws_connect.json")
    context = expected["requestContext"]
    headers = {**expected["headers"], "Connection": "Upgrade", "Upgrade": "websocket"}
    now = context["requestTimeEpoch"] / 1000
    assert connect_event(peer_of(context), headers, "token=tok&board=weekly", PROD, context["requestId"], now) == expected


def test_a_message_becomes_exactly_the_event_of_api_gateway() -> None:
    expected = load("ws_message_default.json")
    context = expected["requestContext"]
    now = context["requestTimeEpoch"] / 1000
    event = message_event(peer_of(context), "$default", expected["body"], PROD, context["requestId"], now)
    assert len(event["requestContext"].pop("messageId")) == len(context.pop("messageId"))
    assert event == expected


def test_an_end_becomes_exactly_the_disconnect_event_of_api_gateway() -> None:
    expected = load("ws_disconnect.json")
    context = expected["requestContext"]
    now = context["requestTimeEpoch"] / 1000
    reason = context["disconnectReason"]
    assert disconnect_event(peer_of(context), 1005, reason, PROD, context["requestId"], now) == expected


def test_repeated_query_parameters_keep_the_last_and_all() -> None:
    peer = peer_of(load("ws_connect.json")["requestContext"])
    event = connect_event(peer, {}, "a=1&a=2&b=", PROD, new_id(), 0.0)
    assert event["queryStringParameters"] == {"a": "2", "b": ""}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": [""]}


def test_without_a_query_there_are_no_query_parameters() -> None:
    event = connect_event(peer_of(load("ws_connect.json")["requestContext"]), {}, "", PROD, new_id(), 0.0)
    assert "queryStringParameters" not in event
    assert "multiValueQueryStringParameters" not in event


def test_the_documented_answers_accept_and_refuse() -> None:
    accepted = websocket_answer(load("ws_connect_response_accept.json"))
    assert accepted.status == 200
    assert dict(accepted.headers)["sec-websocket-protocol"] == "leaderboard.v1"
    assert websocket_answer(load("ws_connect_response_refuse.json")).status == 403


def test_a_malformed_answer_refuses() -> None:
    assert websocket_answer({"statusCode": "often"}).status == 500


def test_connection_ids_look_like_those_of_aws_and_name_their_process() -> None:
    ids = ConnectionIds("instance", 4194303)
    connection_id = ids.new()
    assert len(connection_id) == len("XfGLwd8wDjMCIPg=")
    assert connection_id.endswith("=")
    assert ids.process_of(connection_id) == 4194303
    assert not ids.is_of_another_instance(connection_id)


def test_no_two_processes_of_any_instances_give_the_same_id() -> None:
    """Containers share their process ids, and a process id is used again."""
    makers = [ConnectionIds(instance, process_id) for instance in ("here", "there") for process_id in (25, 26, 25)]
    made = [maker.new() for maker in makers for _ in range(1000)]
    assert len(set(made)) == len(made)


def test_an_id_of_another_instance_is_told_from_none() -> None:
    here, there = ConnectionIds("here", 25), ConnectionIds("there", 25)
    assert here.is_of_another_instance(there.new())
    assert here.process_of(there.new()) is None


@pytest.mark.parametrize("made_up", ["", "x", "XfGLwd8wDjMCIPg", "not an id!", "é" * 16, "QUJD"])
def test_an_id_that_nobody_made_has_no_process(made_up: str) -> None:
    ids = ConnectionIds("instance", 25)
    assert ids.process_of(made_up) is None
    assert not ids.is_of_another_instance(made_up)


@pytest.mark.parametrize(
    ("body", "route_key"),
    [
        ('{"action": "shout"}', "shout"),
        ('{"action": 3}', "$default"),
        ('{"other": "shout"}', "$default"),
        ('{"action": "$connect"}', "$default"),
        ("[1]", "$default"),
        ("plain", "$default"),
        ("[" * 100_000, "$default"),
    ],
)
def test_the_selection_expression_chooses_the_route(body: str, route_key: str) -> None:
    assert route_selector("$request.body.action")(body) == route_key


def test_nested_members_and_the_other_spelling_are_understood() -> None:
    assert route_selector("${request.body.command.name}")('{"command": {"name": "go"}}') == "go"
