"""API Gateway HTTP API, payload format 2.0: a typed view of the event, the reply, and the decorator between them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from math import ceil
from typing import Any, TypeVar, overload

import msgspec

from shared.core.errors import (
    InvalidParameter,
    MalformedJson,
    MalformedRequest,
    MissingToken,
    PayloadTooLarge,
    ScoreboardError,
    Unauthenticated,
    UnsupportedMediaType,
    problem_type,
    told,
)
from shared.core.headers import SECURE_HEADERS, SECURITY_HEADERS
from shared.core.ids import canonical_id
from shared.core.invocation import OK, Invocation
from shared.core.limits import MAX_BODY_BYTES
from shared.core.logs import get_logger
from shared.core.rate_window import RateWindow, rate_limit_headers
from shared.transport.bearer import bearer_token

NO_EVENT = "This is no event of an HTTP API in payload format 2.0."
MAX_DEPTH = 100  # whatever walks through a body later has the stack for it
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^\s";]*)', re.IGNORECASE)
_json = msgspec.json.Encoder()
_log = get_logger(__name__)

T = TypeVar("T")
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
Function = Callable[["HttpRequest"], "Reply"]


class HttpRequest(msgspec.Struct, frozen=True):
    """What a handler needs of the event; header names are lower-case."""

    route_key: str
    headers: Mapping[str, str]
    path_parameters: Mapping[str, str]
    query: Mapping[str, str]
    raw_body: bytes
    source_ip: str
    request_id: str

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> HttpRequest:
        """Read a payload 2.0 event; raises MalformedRequest when it is none, nor its body base64, or NUL is in the path."""
        try:
            return cls._read(event)
        except (KeyError, TypeError, AttributeError):
            raise MalformedRequest(NO_EVENT) from None

    @classmethod
    def _read(cls, event: Mapping[str, Any]) -> HttpRequest:
        context = event["requestContext"]
        path_parameters: Mapping[str, str] = event.get("pathParameters") or {}
        if path_parameters:
            if "\0" in "".join(path_parameters.values()):  # which no store has, and PostgreSQL takes for no text
                raise MalformedRequest
            path_parameters = {name: canonical_id(value) for name, value in path_parameters.items()}
        body = event.get("body") or ""
        try:
            raw_body = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
        except (binascii.Error, ValueError):
            raise MalformedRequest from None
        return cls(
            route_key=event["routeKey"],
            headers=event.get("headers") or {},
            path_parameters=path_parameters,
            query=event.get("queryStringParameters") or {},
            raw_body=raw_body,
            source_ip=context["http"]["sourceIp"],
            request_id=context["requestId"],
        )

    def __repr__(self) -> str:
        """Without what somebody may have sent of their own: passwords, tokens, tickets."""
        return f"HttpRequest({self.route_key!r}, {self.request_id!r})"

    @property
    def bearer_token(self) -> str:
        """The token of the Authorization header; raises MissingToken."""
        return bearer_token(self.headers)

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object; raises PayloadTooLarge, UnsupportedMediaType or MalformedJson."""
        if len(self.raw_body) > MAX_BODY_BYTES:
            raise PayloadTooLarge
        content_type = self.headers.get("content-type", "")
        if content_type != "application/json" and not _is_json(content_type):
            raise UnsupportedMediaType
        if self.headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise UnsupportedMediaType("Send the body without a Content-Encoding.")
        try:
            body = msgspec.json.decode(self.raw_body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise MalformedJson from None
        if not isinstance(body, dict):
            raise MalformedJson("The body must be a JSON object.")
        if self.raw_body.count(b"[") + self.raw_body.count(b"{") > MAX_DEPTH and _is_deep(body):
            raise MalformedJson(f"A body may be nested {MAX_DEPTH} levels deep at most.")
        return body

    def must_know(self, names: Sequence[str]) -> None:
        """Raise InvalidParameter when the query of a request to the API has others than these."""
        unknown = sorted(self.query.keys() - set(names))
        if unknown and " /api/" in self.route_key:
            known = f"known are {', '.join(f'`{name}`' for name in names)}" if names else "it takes none"
            raise InvalidParameter(f"This resource has no query parameter `{unknown[0][:100]}`: {known}.")

    def integer(self, name: str, default: int, minimum: int, maximum: int) -> int:
        """A query parameter; raises InvalidParameter outside minimum..maximum."""
        raw = self.query.get(name)
        if raw is None:
            return default
        if not re.fullmatch(r"[0-9]{1,9}", raw) or not minimum <= int(raw) <= maximum:
            raise InvalidParameter(f"`{name}` must be an integer from {minimum} to {maximum}.")
        return int(raw)

    def flag(self, name: str) -> bool:
        """A query parameter, false when it is not there; raises InvalidParameter unless it is `true` or `false`."""
        raw = self.query.get(name, "false")
        if raw not in ("true", "false"):
            raise InvalidParameter(f"`{name}` must be `true` or `false`.")
        return raw == "true"


class Reply(msgspec.Struct, frozen=True):
    """Status, body (bytes already in JSON, or an object to encode) and headers."""

    status: int
    body: object
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    content_type: str = "application/json"

    def __repr__(self) -> str:
        """Without what is told only once."""
        return f"Reply({self.status})"

    @classmethod
    def ok(cls, data: object, headers: Mapping[str, str] | None = None) -> Reply:
        """200 `{"data": …}`."""
        return cls(200, {"data": data}, headers or {})

    @classmethod
    def created(cls, data: object, headers: Mapping[str, str] | None = None) -> Reply:
        """201 `{"data": …}`."""
        return cls(201, {"data": data}, headers or {})

    @classmethod
    def no_content(cls, headers: Mapping[str, str] | None = None) -> Reply:
        """204, without a body and a word on what that would be."""
        return cls(204, b"", headers or {}, content_type="")

    @classmethod
    def document(cls, body: object, headers: Mapping[str, str] | None = None) -> Reply:
        """200 with a body that is the whole document, not wrapped in `data`."""
        return cls(200, body, headers or {})

    @classmethod
    def tagged(
        cls,
        document: bytes,
        etag: str,
        if_none_match: str | None,
        headers: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Reply:
        """200 with a document and its entity tag, or 304 to clients that have it: they may keep it, but must ask each time."""
        headers = {"ETag": etag, "Cache-Control": "no-cache", **(headers or {})}
        if if_none_match is not None and _names(if_none_match, etag):
            return cls(304, b"", {name: value for name, value in headers.items() if name != "Content-Encoding"}, content_type="")
        return cls(200, document, headers, content_type)

    @classmethod
    def problem(cls, error: ScoreboardError, request_id: str) -> Reply:
        """The RFC 9457 document of an error."""
        headers = dict(error.headers)
        if isinstance(error, Unauthenticated):
            headers.setdefault("WWW-Authenticate", _challenge(error))
        if error.retry_after_seconds is not None:
            headers["Retry-After"] = str(max(1, ceil(error.retry_after_seconds)))
        document = {
            "type": problem_type(error.code),
            "title": error.title,
            "status": error.status,
            "code": error.code,
            "detail": error.detail,
            "requestId": request_id,
            **error.extensions,
        }
        return cls(error.status, document, headers, "application/problem+json")

    def to_response(
        self, request_id: str, *, is_secure: bool = False, windows: Mapping[str, RateWindow] | None = None
    ) -> dict[str, Any]:
        """The response object of payload format 2.0, which tells of `windows`; `is_secure` when the client came over TLS."""
        standard = SECURE_HEADERS if is_secure else SECURITY_HEADERS
        body = self.body if isinstance(self.body, bytes) else _json.encode(self.body)
        is_binary = "Content-Encoding" in self.headers
        told = rate_limit_headers(windows.values()) if windows else {}
        content_type = {"Content-Type": self.content_type} if self.content_type else {}
        return {
            "statusCode": self.status,
            "headers": {**standard, **content_type, "X-Request-Id": request_id, **told, **self.headers},
            "body": (base64.b64encode(body) if is_binary else body).decode(),
            "isBase64Encoded": is_binary,
        }


def _is_deep(value: object) -> bool:
    """Whether arrays and objects are nested more than MAX_DEPTH levels."""
    level: list[object] = [value]
    for _ in range(MAX_DEPTH + 1):
        nested = [each for each in level if isinstance(each, dict | list)]
        if not nested:
            return False
        level = [member for each in nested for member in (each.values() if isinstance(each, dict) else each)]
    return True


def _names(if_none_match: str, etag: str) -> bool:
    """Weak comparison (RFC 9110, 8.8.3.2)."""
    given = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag.removeprefix("W/") in given or given == ["*"]


@lru_cache(64)
def _is_json(content_type: str) -> bool:
    """Also with parameters; but JSON has one encoding only (RFC 8259), and what claims another one would be misread."""
    media_type, _, _ = content_type.partition(";")
    charset = _CHARSET.search(content_type)
    return media_type.strip().lower() == "application/json" and (charset is None or charset[1].lower() in ("utf-8", "utf8"))


def _challenge(error: Unauthenticated) -> str:
    """RFC 6750: no error code when no credentials were sent."""
    if isinstance(error, MissingToken) or error.code == "unauthenticated":
        return 'Bearer realm="scoreboard"'
    return f'Bearer realm="scoreboard", error="invalid_token", error_description="{error.title}"'


@overload
def http_handler(function: Function) -> Handler: ...
@overload
def http_handler(*, query: Sequence[str]) -> Callable[[Function], Handler]: ...
def http_handler(function: Function | None = None, *, query: Sequence[str] = ()) -> Any:
    """Make a Lambda handler: every error of the tree becomes its problem document, anything else a logged, generic 500.

    `query` names the parameters that a route below /api/ knows; any other is refused.
    """
    return _handler(function, query) if function else lambda decorated: _handler(decorated, query)


def _handler(function: Function, query: Sequence[str]) -> Handler:
    def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        try:
            request_id = str(event["requestContext"]["requestId"])
        except (KeyError, TypeError):
            raise MalformedRequest(NO_EVENT) from None
        with Invocation("http", context, request_id) as invocation:
            try:
                request = HttpRequest.from_event(event)
                invocation.continues(request.headers)
                if request.query:
                    request.must_know(query)
                reply = function(request)
                invocation.outcome = OK
            except ScoreboardError as error:
                invocation.failed(error)
                reply = Reply.problem(told(error), request_id)
            except Exception as error:
                _log.exception("unhandled error")
                invocation.failed(error)
                reply = Reply.problem(ScoreboardError(), request_id)
            invocation.fields["route"] = event.get("routeKey")
            invocation.fields["status"] = reply.status
        is_secure = (event.get("headers") or {}).get("x-forwarded-proto") == "https"
        return reply.to_response(request_id, is_secure=is_secure, windows=invocation.windows)

    return lambda_handler
