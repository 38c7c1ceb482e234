"""Events in, replies out: the HTTP API's payload format 2.0 and the WebSocket API."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core import errors
from shared.core.headers import SECURITY_HEADERS
from shared.transport.http import HttpRequest, Reply, http_handler
from shared.transport.websocket import WebSocketRequest, websocket_handler
from tests.handlers.events import http_event, payload, websocket_event

ROUTE = "POST /api/score/{user_id}"


def request(**options: Any) -> HttpRequest:
    return HttpRequest.from_event(http_event(ROUTE, path_parameters={"user_id": "u-1"}, **options))


def test_a_real_event_is_read() -> None:
    read = HttpRequest.from_event(payload("http_v2"))
    assert read.route_key == "POST /v1/boards/{board}/scores"
    assert read.path_parameters == {"board": "weekly"}
    assert read.query == {"tag": "a,b", "limit": "10"}
    assert read.headers["user-agent"] == "game-client/1.0"
    assert read.bearer_token == "tok"
    assert read.json_object() == {"user": "u-42", "score": 1234, "at": "2026-11-23T12:00:00Z"}
    assert (read.source_ip, read.request_id) == ("198.51.100.7", "JKJaXmPLvHcESHA=")


def test_what_is_empty_may_be_absent() -> None:
    read = HttpRequest.from_event(payload("http_v2_minimal_get"))
    assert (read.raw_body, dict(read.query), dict(read.path_parameters)) == (b"", {}, {"board": "weekly"})


def test_a_body_may_come_in_base64() -> None:
    event = http_event(ROUTE, body="x")
    event.update(body=base64.b64encode(b'{"a": 1}').decode(), isBase64Encoded=True)
    assert HttpRequest.from_event(event).json_object() == {"a": 1}
    event["body"] = "not base64!"
    with pytest.raises(errors.MalformedRequest):
        HttpRequest.from_event(event)


@pytest.mark.parametrize("header", ["Bearer abc", "bearer  abc", "BEARER abc "])
def test_a_bearer_token_is_found(header: str) -> None:
    assert request(headers={"Authorization": header}).bearer_token == "abc"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer a b", "Bearer ü", "abc"])
def test_anything_else_is_no_token(header: str) -> None:
    with pytest.raises(errors.MissingToken):
        _ = request(headers={"Authorization": header}).bearer_token


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "Application/JSON", "application/json; charset=utf-8", 'application/json;charset="UTF-8";a=b'],
)
def test_json_is_read(media_type: str) -> None:
    assert request(body={"a": 1}, headers={"Content-Type": media_type}).json_object() == {"a": 1}


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "",
        "application/json; charset=utf-16",
        'application/json; a=b; charset="latin1"',
    ],
)
def test_another_media_type_is_refused(media_type: str) -> None:
    with pytest.raises(errors.UnsupportedMediaType):
        request(body="{}", headers={"Content-Type": media_type}).json_object()


def test_a_compressed_body_is_refused() -> None:
    with pytest.raises(errors.UnsupportedMediaType):
        request(body="{}", headers={"Content-Type": "application/json", "Content-Encoding": "gzip"}).json_object()
    assert request(body={}, headers={"Content-Type": "application/json", "Content-Encoding": "identity"}).json_object() == {}


def test_no_path_has_nul_in_it() -> None:
    with pytest.raises(errors.MalformedRequest):
        HttpRequest.from_event(http_event(ROUTE, path_parameters={"user_id": "a\0b"}))


DEEP = (
    '{"a":' + "[" * 100 + "]" * 100 + "}",
    '{"a":' * 101 + "1" + "}" * 101,
    "[" * 50_000,
    '{"a":' * 10_000 + "1" + "}" * 10_000,
)
NO_JSON_OBJECTS = ("", "{", "[1]", "1", "null", '"text"', '{"a": }', '{"a": "\\ud800"}', "\ufeff{}", "{} x", "{'a': 1}", "{/**/}")
NO_NUMBERS = tuple(f'{{"a": {number}}}' for number in ("NaN", "-Infinity", "1e400", "9" * 60_000, "01", "+1", ".5", "0x1"))


@pytest.mark.parametrize("body", [*NO_JSON_OBJECTS, *DEEP, *NO_NUMBERS], ids=lambda body: str(body)[:12])
def test_a_body_that_is_no_json_object_is_refused(body: str) -> None:
    with pytest.raises(errors.MalformedJson):
        request(body=body, headers={"Content-Type": "application/json"}).json_object()


def test_a_body_of_many_members_is_not_deep() -> None:
    members = {"text": "[{" * 200, "flat": [[], {}] * 200, "deep": "deep"}
    body = json.dumps(members).replace('"deep": "deep"', f'"deep": {"[" * 99}{"]" * 99}')
    assert request(body=body).json_object()["flat"] == members["flat"]


def test_of_a_member_given_twice_the_last_counts() -> None:
    assert request(body='{"a": 1, "a": 2}').json_object() == {"a": 2}


def test_a_body_over_64_kib_is_refused() -> None:
    padding = "x" * (64 * 1024)
    with pytest.raises(errors.PayloadTooLarge):
        request(body={"a": padding}).json_object()


@given(st.binary(max_size=200))
def test_no_body_whatever_breaks_the_reader(body: bytes) -> None:
    event = http_event(ROUTE, body="x", headers={"Content-Type": "application/json"})
    event.update(body=base64.b64encode(body).decode(), isBase64Encoded=True)
    with suppress(errors.MalformedJson):
        assert isinstance(HttpRequest.from_event(event).json_object(), dict)


@pytest.mark.parametrize("raw", ["0", "101", "-1", "ten", "1.5", "", " 5", "٣", "1" * 30])
def test_a_number_out_of_range_is_refused(raw: str) -> None:
    event = http_event(ROUTE)
    event["queryStringParameters"] = {"limit": raw}
    with pytest.raises(errors.InvalidParameter, match="limit"):
        HttpRequest.from_event(event).integer("limit", 10, 1, 100)


def test_a_number_has_a_default() -> None:
    assert request().integer("limit", 10, 1, 100) == 10
    assert request(query={"limit": "100"}).integer("limit", 10, 1, 100) == 100


@http_handler(query=("limit", "cursor"))
def paged(request: HttpRequest) -> Reply:
    return Reply.ok(dict(request.query))


def test_a_query_parameter_that_nobody_knows_is_refused_with_those_that_exist() -> None:
    known = paged(http_event("GET /api/x", query={"cursor": "c"}), None)
    assert (known["statusCode"], json.loads(known["body"])) == (200, {"data": {"cursor": "c"}})
    refused = json.loads(paged(http_event("GET /api/x", query={"limit": "1", "offset": "10"}), None)["body"])
    assert refused["code"] == "invalid_parameter"
    assert refused["detail"] == "This resource has no query parameter `offset`: known are `limit`, `cursor`."
    bare = http_handler(lambda _: Reply.ok({}))
    refused = json.loads(bare(http_event("GET /api/x", query={"offset": "10"}), None)["body"])
    assert refused["detail"] == "This resource has no query parameter `offset`: it takes none."
    assert bare(http_event("GET /healthz", query={"at": "10"}), None)["statusCode"] == 200, "which no client depends on"


def answer(error: Exception) -> dict[str, Any]:
    @http_handler
    def handler(_: HttpRequest) -> Reply:
        raise error

    return handler(http_event(ROUTE), None)


def test_an_error_of_the_tree_becomes_its_problem_document() -> None:
    response = answer(errors.NotYourScore())
    assert response["statusCode"] == 403
    assert response["headers"]["Content-Type"] == "application/problem+json"
    assert json.loads(response["body"])["requestId"] == response["headers"]["X-Request-Id"]


def test_any_other_error_says_nothing_of_itself() -> None:
    response = answer(RuntimeError("password is hunter2"))
    assert response["statusCode"] == 500
    assert json.loads(response["body"])["code"] == "internal_error"
    assert "hunter2" not in json.dumps(response)


@pytest.mark.parametrize("kind", [errors.ConfigurationError, errors.ForeignStores, errors.BadMessage])
def test_an_internal_error_is_in_the_log_and_tells_a_client_nothing(
    kind: type[errors.ScoreboardError], capsys: pytest.CaptureFixture[str]
) -> None:
    error = kind("REDIS_URL is missing")
    response = answer(error)
    assert (response["statusCode"], json.loads(response["body"])["code"]) == (500, "internal_error")
    assert "REDIS_URL" not in json.dumps(response)
    line = json.loads(capsys.readouterr().err)
    assert (line["level"], line["outcome"], line["cause"]) == ("error", kind.code, f"{kind.__name__}: REDIS_URL is missing")

    @websocket_handler
    def handler(_: WebSocketRequest) -> dict[str, str]:
        raise error

    told = handler(websocket_event("$default", body='{"id": "1"}'), None)
    assert (told["statusCode"], json.loads(told["body"])["code"]) == (500, "internal_error")
    assert "REDIS_URL" not in told["body"]


def test_a_success_carries_data_and_the_request_id() -> None:
    response = Reply.created({"name": "Ada"}).to_response("r-1")
    assert response == {
        "statusCode": 201,
        "headers": {**SECURITY_HEADERS, "Content-Type": "application/json", "X-Request-Id": "r-1"},
        "body": '{"data":{"name":"Ada"}}',
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize(("scheme", "is_told"), [("https", True), ("http", False), (None, False)])
def test_a_client_over_tls_is_told_to_stay_there(scheme: str | None, is_told: bool) -> None:
    event = http_event("GET /x", headers={"X-Forwarded-Proto": scheme} if scheme else None)
    headers = http_handler(lambda _: Reply.ok({}))(event, None)["headers"]
    assert ("Strict-Transport-Security" in headers) == is_told
    assert headers["Cache-Control"] == "no-store"


def test_an_answer_may_say_otherwise() -> None:
    reply = Reply.ok({}, headers={"Cache-Control": "public, max-age=300"})
    assert reply.to_response("r-1", is_secure=True)["headers"]["Cache-Control"] == "public, max-age=300"


def test_a_websocket_event_of_each_route_is_read() -> None:
    connect = WebSocketRequest.from_event(payload("ws_connect"))
    assert (connect.route_key, connect.connection_id) == ("$connect", "XfGLwd8wDjMCIPg=")
    assert connect.headers["origin"] == "https://game.example"
    assert connect.query == {"token": "tok", "board": "weekly"}
    assert WebSocketRequest.from_event(payload("ws_message_default")).route_key == "$default"
    assert WebSocketRequest.from_event(payload("ws_disconnect")).route_key == "$disconnect"


@pytest.mark.parametrize(
    ("error", "status"), [(errors.InvalidTicket(), 401), (errors.RedisUnavailable(), 503), (RuntimeError(), 500)]
)
def test_an_error_refuses_the_handshake(error: Exception, status: int) -> None:
    @websocket_handler
    def handler(_: WebSocketRequest) -> dict[str, str]:
        raise error

    assert handler(websocket_event("$connect"), None) == {"statusCode": status}
