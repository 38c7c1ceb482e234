"""Conversion of requests and answers, against API Gateway's own payloads."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from local_runtime.hosting.events.http import HttpRequestParts, MalformedAnswer, http_answer, http_event
from local_runtime.hosting.events.identity import ApiIdentity
from local_runtime.hosting.events.sample import SAMPLES

EVENTS = SAMPLES
PROD = ApiIdentity(stage="prod", api_id="a1b2c3d4e5", account_id="123456789012")


def load(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((EVENTS / name).read_text())
    return document


def parts_of(event: dict[str, Any], **changes: Any) -> HttpRequestParts:
    """The request that makes API Gateway send this event."""
    context = event["requestContext"]
    headers = dict(event["headers"])
    if event.get("cookies"):
        headers["cookie"] = "; ".join(event["cookies"])
    values: dict[str, Any] = {
        "method": context["http"]["method"],
        "path": event["rawPath"].removeprefix("/prod"),
        "query_string": event["rawQueryString"],
        "headers": headers,
        "body": event.get("body", "").encode(),
        "source_ip": context["http"]["sourceIp"],
        "request_id": context["requestId"],
        "received_at": context["timeEpoch"] / 1000,
    }
    return HttpRequestParts(**(values | changes))


def make(identity: ApiIdentity | None = None, path_parameters: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    parts = parts_of(load("http_v2_minimal_get.json"), **changes)
    return http_event(parts, "GET /x", path_parameters or {}, identity or ApiIdentity())


def test_a_post_becomes_exactly_the_event_of_api_gateway() -> None:
    expected = load("http_v2.json")
    expected["requestContext"].pop("authorizer")
    assert http_event(parts_of(expected), expected["routeKey"], {"board": "weekly"}, PROD) == expected


def test_a_bare_get_becomes_exactly_the_event_of_api_gateway() -> None:
    expected = load("http_v2_minimal_get.json")
    expected["requestContext"]["http"]["userAgent"] = ""
    assert http_event(parts_of(expected), expected["routeKey"], {"board": "weekly"}, PROD) == expected


def test_what_is_empty_is_absent() -> None:
    assert not {"body", "cookies", "queryStringParameters", "pathParameters"} & set(make())


def test_the_default_stage_is_not_in_the_path() -> None:
    event = make(path="/api/scores")
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == "/api/scores"
    assert event["requestContext"]["stage"] == "$default"


def test_repeated_and_empty_query_parameters_are_joined_with_commas() -> None:
    event = make(query_string="a=1&b=&a=2%2C3&c=x+y")
    assert event["queryStringParameters"] == {"a": "1,2,3", "b": "", "c": "x y"}
    assert event["rawQueryString"] == "a=1&b=&a=2%2C3&c=x+y"


def test_path_parameters_are_decoded() -> None:
    assert make(path_parameters={"name": "a%2Fb%20%C3%A9"})["pathParameters"] == {"name": "a/b é"}


def test_cookies_leave_the_headers() -> None:
    event = make(headers={"host": "h", "cookie": "a=1; b=2"})
    assert event["cookies"] == ["a=1", "b=2"]
    assert "cookie" not in event["headers"]


def test_the_domain_has_no_port() -> None:
    assert make(headers={"host": "board.example:8443"})["requestContext"]["domainName"] == "board.example"
    assert make(headers={"host": "[::1]:8080"})["requestContext"]["domainName"] == "[::1]"


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "text/csv", "application/problem+json", ""])
def test_text_stays_text(content_type: str) -> None:
    event = make(headers={"content-type": content_type}, body="né".encode())
    assert (event["body"], event["isBase64Encoded"]) == ("né", False)


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "image/png"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
def test_anything_else_is_base64(headers: dict[str, str]) -> None:
    event = make(headers=headers, body=b"\x00a")
    assert (base64.b64decode(event["body"]), event["isBase64Encoded"]) == (b"\x00a", True)


def test_text_that_is_not_utf8_is_base64() -> None:
    assert make(headers={"content-type": "application/json"}, body=b"\xff")["isBase64Encoded"] is True


def test_the_documented_answer_becomes_a_response() -> None:
    answer = http_answer(load("http_v2_response.json"))
    assert answer.status == 201
    assert answer.headers == (("content-type", "application/json"), ("set-cookie", "sid=abc; HttpOnly"))
    assert answer.body == b'{"rank":1}'


@pytest.mark.parametrize(
    ("result", "body"),
    [({"a": 1}, b'{"a": 1}'), ([1], b"[1]"), ("text", b"text"), (None, b"null"), (3, b"3"), ({}, b"{}")],
)
def test_an_answer_without_status_is_the_body_of_a_200(result: object, body: bytes) -> None:
    answer = http_answer(result)
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers == (("content-type", "application/json"),)


def test_an_answer_with_status_alone_is_empty_text() -> None:
    answer = http_answer({"statusCode": "204"})
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers == (("content-type", "text/plain;charset=UTF-8"),)


def test_binary_answers_are_decoded() -> None:
    answer = http_answer({"statusCode": 200, "body": base64.b64encode(b"\x00\xff").decode(), "isBase64Encoded": True})
    assert answer.body == b"\x00\xff"


def test_numbers_and_booleans_are_header_values() -> None:
    answer = http_answer({"statusCode": 200, "headers": {"X-Count": 3, "X-Yes": True, "Connection": "close"}})
    assert answer.headers[:-1] == (("X-Count", "3"), ("X-Yes", "true"))


@pytest.mark.parametrize(
    "result",
    [
        {"statusCode": "many"},
        {"statusCode": 99},
        {"statusCode": True},
        {"statusCode": None},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "body": "!", "isBase64Encoded": True},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": 200, "headers": {"a b": "c"}},
        {"statusCode": 200, "headers": {"a": "b\r\nc: d"}},
        {"statusCode": 200, "headers": {"a": ["b"]}},
        {"statusCode": 200, "cookies": "a=b"},
        {"statusCode": 200, "cookies": ["a=b\nc"]},
    ],
)
def test_a_malformed_answer_is_refused(result: object) -> None:
    with pytest.raises(MalformedAnswer):
        http_answer(result)
