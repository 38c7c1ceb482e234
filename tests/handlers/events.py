"""Builds events on the sample payloads, calls handlers as Lambda does, holds each answer against the description."""

from __future__ import annotations

import importlib.util
import json
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from infra.documents.openapi import NOT_DESCRIBED
from local_runtime.hosting.events.sample import sample_payload

ROOT = Path(__file__).resolve().parent.parent.parent
REQUEST_ID = "JKJaXmPLvHcESHA="
SOURCE_IP = "198.51.100.7"


@dataclass(frozen=True, slots=True)
class HandlerReply:
    """What an HTTP handler answered."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        """The `data` of a success."""
        assert self.status < 300, (self.status, self.body)
        return self.json["data"]

    @property
    def problem(self) -> tuple[int, str]:
        """Status and code of a refusal."""
        assert self.headers["Content-Type"] == "application/problem+json"
        return self.status, self.json["code"]


def payload(name: str) -> dict[str, Any]:
    """A sample payload, fresh."""
    event: dict[str, Any] = sample_payload(name)
    return event


def http_event(
    route_key: str,
    *,
    path_parameters: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    body: object = None,
    query: dict[str, str] | None = None,
    source_ip: str = SOURCE_IP,
) -> dict[str, Any]:
    """An HTTP API event of payload format 2.0; `body` is sent as JSON unless it is a text."""
    event = payload("http_v2")
    method, path = route_key.split(" ", 1)
    for name, value in (path_parameters or {}).items():
        path = path.replace("{" + name + "}", value)
    sent = {"host": event["headers"]["host"], **{name.lower(): value for name, value in (headers or {}).items()}}
    context = event["requestContext"]
    context.update(routeKey=route_key, stage="$default", requestId=REQUEST_ID)
    context["http"].update(method=method, path=path, sourceIp=source_ip)
    del context["authorizer"], event["cookies"]
    event.update(routeKey=route_key, rawPath=path, rawQueryString="&".join(f"{n}={v}" for n, v in (query or {}).items()))
    optional: dict[str, Any] = {"pathParameters": path_parameters, "queryStringParameters": query, "body": None, "headers": sent}
    if body is not None:
        optional["body"] = body if isinstance(body, str) else json.dumps(body)
        sent.setdefault("content-type", "application/json")
    for name, member in optional.items():
        event.pop(name, None)
        if member:  # API Gateway leaves out what is empty
            event[name] = member
    return event


def websocket_event(
    route_key: str,
    *,
    connection_id: str = "XfGLwd8wDjMCIPg=",
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    body: str | None = None,
) -> dict[str, Any]:
    """An event of the WebSocket API: `$connect`, `$disconnect` or `$default`."""
    event = payload({"$connect": "ws_connect", "$disconnect": "ws_disconnect", "$default": "ws_message_default"}[route_key])
    event["requestContext"]["connectionId"] = connection_id
    if route_key == "$connect":
        event["requestContext"].pop("authorizer", None)
        # No browser, unless the test says which page it shows.
        event["headers"] = {name: value for name, value in event["headers"].items() if name != "Origin"} | (headers or {})
        for name in ("queryStringParameters", "multiValueQueryStringParameters"):
            event.pop(name, None)
        if query:
            event["queryStringParameters"] = query
            event["multiValueQueryStringParameters"] = {name: [value] for name, value in query.items()}
    if body is not None:
        event["body"] = body
    return event


def invoke(function: str, event: Any) -> Any:
    """Call a handler as Lambda does: the event goes in and the answer comes out as JSON."""
    answer = _handler(function)(json.loads(json.dumps(event)), SimpleNamespace(aws_request_id=REQUEST_ID, function_name=function))
    return json.loads(json.dumps(answer))


def call(function: str, route_key: str, **request: Any) -> HandlerReply:
    """Invoke an HTTP function and see that status, code and headers of its answer are those described in openapi.json."""
    answer = invoke(function, http_event(route_key, **request))
    assert set(answer) == {"statusCode", "headers", "body", "isBase64Encoded"}
    assert answer["headers"]["X-Request-Id"] == REQUEST_ID
    reply = HandlerReply(answer["statusCode"], answer["headers"], answer["body"])
    if function in NOT_DESCRIBED:
        return reply
    method, path = route_key.split(" ", 1)
    described = _openapi()["paths"][path][method.lower()]["responses"]
    assert str(reply.status) in described or reply.status >= 400, f"{route_key} answered {reply.status}, which is not described"
    response = _resolved(described.get(str(reply.status), described["default"]))
    content_type = reply.headers.get("Content-Type")
    if "content" not in response:
        assert (content_type, reply.body) == (None, ""), f"{route_key} answered something, which is not described"
        return reply
    assert content_type in response["content"], f"{route_key} answered {content_type}, which is not described"
    if reply.status >= 400:
        codes = response["content"][content_type]["schema"]["properties"]["code"]["enum"]
        assert reply.json["code"] in codes, f"{route_key} answered {reply.json['code']}, which is not described"
        assert reply.json["requestId"] == REQUEST_ID
        missing = set(response.get("headers", ())) - set(reply.headers)
        assert not missing, f"{route_key} answered {reply.status} without {missing}"
    return reply


@cache
def _handler(function: str) -> Any:
    path = ROOT / "functions" / function / "handler.py"
    spec = importlib.util.spec_from_file_location(f"functions.{function}.handler", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.lambda_handler


def _resolved(response: dict[str, Any]) -> dict[str, Any]:
    """A response that is described once for all operations is referred to."""
    reference = response.get("$ref")
    return _openapi()["components"]["responses"][reference.rpartition("/")[2]] if reference else response


@cache
def _openapi() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((ROOT / "functions" / "get_openapi" / "openapi.json").read_text(encoding="utf-8"))
    return document


def changed(event: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A copy of an event with other top-level members."""
    return {**deepcopy(event), **changes}
