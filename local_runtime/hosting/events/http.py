"""Requests to API Gateway HTTP API events (payload format 2.0), and handlers' answers back to HTTP."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from local_runtime.hosting.events.identity import ApiIdentity, domain_of, text_of

_TEXT_TYPES = re.compile(r"text/.*|application/(json|xml|javascript)|application/.*\+(json|xml)", re.IGNORECASE)
_TEXT = frozenset({str})
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_CONNECTION_HEADERS = frozenset(
    {"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-authenticate"}
)


class HttpRequestParts(msgspec.Struct, frozen=True):
    """A request as it came: `path` still percent-encoded, header names lower-case, repeated headers joined with commas."""

    method: str
    path: str
    query_string: str
    headers: dict[str, str]
    body: bytes
    source_ip: str
    request_id: str
    received_at: float
    protocol: str = "HTTP/1.1"

    def __repr__(self) -> str:
        """Without what somebody may have sent of their own: passwords, tokens, tickets."""
        return f"HttpRequestParts({self.method!r}, {self.request_id!r})"


class HttpAnswer(msgspec.Struct, frozen=True):
    """What goes back to the client; the headers always hold a Content-Type."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __repr__(self) -> str:
        """Without what is told only once."""
        return f"HttpAnswer({self.status})"


class MalformedAnswer(Exception):
    """The handler's answer is not one API Gateway would serve; it serves a 500 instead."""


def http_event(
    parts: HttpRequestParts, route_key: str, path_parameters: Mapping[str, str], identity: ApiIdentity
) -> dict[str, Any]:
    """The event of a request, which owns its headers from now on; what is empty is absent, as AWS has it.

    `path_parameters` come percent-encoded.
    """
    path = parts.path if identity.stage == "$default" else f"/{identity.stage}{parts.path}"
    headers = parts.headers
    cookies = headers.pop("cookie", None)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": parts.query_string,
        "headers": headers,
        "requestContext": _request_context(parts, path, route_key, identity),
        "isBase64Encoded": False,
    }
    if cookies is not None:
        given = [item.strip() for item in cookies.split(";") if item.strip()]
        if given:
            event["cookies"] = given
    if parts.query_string:
        event["queryStringParameters"] = _joined_query(parts.query_string)
    if path_parameters:
        event["pathParameters"] = {name: unquote(value) for name, value in path_parameters.items()}
    if parts.body:
        event["body"], event["isBase64Encoded"] = _body(parts)
    return event


def http_answer(result: object) -> HttpAnswer:
    """Read a handler's answer: with `statusCode` it is a response, without it is the JSON body of a 200.

    Raises MalformedAnswer.
    """
    if not isinstance(result, dict) or "statusCode" not in result:
        body = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
        return HttpAnswer(200, (("content-type", "application/json"),), body.encode(errors="replace"))
    headers = _answer_headers(result)
    if "Content-Type" not in result.get("headers", ()) and not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain;charset=UTF-8"))
    if result.get("cookies"):
        headers.extend(("set-cookie", _header_value("set-cookie", cookie)) for cookie in result["cookies"])
    return HttpAnswer(_status(result["statusCode"]), tuple(headers), _answer_body(result))


def _request_context(parts: HttpRequestParts, path: str, route_key: str, identity: ApiIdentity) -> dict[str, Any]:
    domain = domain_of(parts.headers.get("host", ""))
    return {
        "accountId": identity.account_id,
        "apiId": identity.api_id,
        "domainName": domain,
        "domainPrefix": domain.partition(".")[0],
        "http": {
            "method": parts.method,
            "path": path,
            "protocol": parts.protocol,
            "sourceIp": parts.source_ip,
            "userAgent": parts.headers.get("user-agent", ""),
        },
        "requestId": parts.request_id,
        "routeKey": route_key,
        "stage": identity.stage,
        "time": _time_text(int(parts.received_at)),
        "timeEpoch": int(parts.received_at * 1000),
    }


@lru_cache(2)
def _time_text(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")


def _joined_query(query_string: str) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in parse_qsl(query_string, keep_blank_values=True):
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _body(parts: HttpRequestParts) -> tuple[str, bool]:
    if _is_text(parts.headers.get("content-type", ""), parts.headers.get("content-encoding", "identity")):
        text = text_of(parts.body)
        if text is not None:
            return text, False
    return base64.b64encode(parts.body).decode(), True


@lru_cache(256)
def _is_text(content_type: str, content_encoding: str) -> bool:
    media_type = content_type.partition(";")[0].strip()
    is_plain = content_encoding.strip().lower() == "identity"
    return is_plain and (not media_type or _TEXT_TYPES.fullmatch(media_type) is not None)


def _status(value: object) -> int:
    if type(value) is int and 200 <= value <= 599:
        return value
    try:
        status = int(value) if isinstance(value, int | str) and not isinstance(value, bool) else 0
    except ValueError:
        status = 0
    if not 200 <= status <= 599:
        raise MalformedAnswer(f"statusCode {value!r}")
    return status


def _answer_headers(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    given = result.get("headers") or {}
    if not isinstance(given, dict) or not isinstance(result.get("cookies") or [], list):
        raise MalformedAnswer("headers must be an object, cookies a list")
    values = given.values()
    if _TEXT.issuperset(map(type, values)) and _are_passed_on(tuple(given)):
        text = "".join(values)
        if text.isascii() and text.isprintable():
            return list(given.items())
    headers = []
    for name, value in given.items():
        if _is_passed_on(name):
            # What is printable ASCII needs no closer look.
            is_clean = type(value) is str and value.isascii() and value.isprintable()
            headers.append((name, value if is_clean else _header_value(name, value)))
    return headers


@lru_cache(256)
def _are_passed_on(names: tuple[str, ...]) -> bool:
    """Whether all of them are; raises MalformedAnswer."""
    return all(_is_passed_on(name) for name in names)


@lru_cache(256)
def _is_passed_on(name: str) -> bool:
    """Whether a header concerns the client, and not the connection; raises MalformedAnswer."""
    if not _HEADER_NAME.fullmatch(name):
        raise MalformedAnswer(f"header name {name!r}")
    return name.lower() not in _CONNECTION_HEADERS


def _header_value(name: str, value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if not isinstance(value, str | int | float) or not _HEADER_VALUE.fullmatch(text):
        raise MalformedAnswer(f"value of header {name}")
    return text


def _answer_body(result: Mapping[str, Any]) -> bytes:
    body = result.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedAnswer(f"body of type {type(body).__name__}")
    if not result.get("isBase64Encoded"):
        return body.encode(errors="replace")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedAnswer("body is not base64") from None
