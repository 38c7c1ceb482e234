"""Handshakes, messages and ends of WebSockets to API Gateway WebSocket API events, and what `$connect` answers."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from local_runtime.hosting.events.http import HttpAnswer, MalformedAnswer, http_answer
from local_runtime.hosting.events.identity import ApiIdentity, domain_of

NO_STATUS_REASON = "Client-side close frame status not set"
_DROPPED = frozenset({"connection", "upgrade", "content-length"})


@dataclass(frozen=True, slots=True)
class Peer:
    """What the events of one connection repeat of its handshake."""

    connection_id: str
    host: str
    source_ip: str
    user_agent: str
    connected_at: float


def new_id() -> str:
    """An id in the shape of API Gateway's request ids."""
    return base64.urlsafe_b64encode(os.urandom(11)).decode()


def connect_event(
    peer: Peer, headers: Mapping[str, str], query_string: str, identity: ApiIdentity, request_id: str, now: float
) -> dict[str, Any]:
    """The `$connect` event; `headers` of the handshake with their usual spelling. Only this one carries headers and query."""
    kept = {name: value for name, value in headers.items() if name.lower() not in _DROPPED}
    event: dict[str, Any] = {
        "headers": kept,
        "multiValueHeaders": {name: [value] for name, value in kept.items()},
        "requestContext": _context(peer, "$connect", "CONNECT", identity, request_id, now),
        "isBase64Encoded": False,
    }
    query = parse_qs(query_string, keep_blank_values=True)
    if query:
        event["queryStringParameters"] = {name: values[-1] for name, values in query.items()}
        event["multiValueQueryStringParameters"] = query
    return event


def message_event(
    peer: Peer,
    route_key: str,
    body: str,
    identity: ApiIdentity,
    request_id: str,
    now: float,
    authorizer: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The event of a text message; `authorizer` is what is known of the connection since its handshake."""
    context = _context(peer, route_key, "MESSAGE", identity, request_id, now)
    known = {} if authorizer is None else {"authorizer": dict(authorizer)}
    return {"requestContext": {**context, **known, "messageId": new_id()}, "body": body, "isBase64Encoded": False}


def disconnect_event(peer: Peer, code: int, reason: str, identity: ApiIdentity, request_id: str, now: float) -> dict[str, Any]:
    """The `$disconnect` event; `code` 1005 where the client's close frame had none."""
    headers = {"Host": peer.host, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""}
    context = _context(peer, "$disconnect", "DISCONNECT", identity, request_id, now)
    return {
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "requestContext": {**context, "disconnectStatusCode": code, "disconnectReason": reason},
        "isBase64Encoded": False,
    }


def websocket_answer(result: object) -> HttpAnswer:
    """Read what a route answered: to `$connect` 2xx accepts, anything else refuses; a malformed answer is a 500."""
    try:
        answer = http_answer(result)
    except MalformedAnswer:
        return HttpAnswer(500, (), b"")
    return HttpAnswer(answer.status, tuple((name.lower(), value) for name, value in answer.headers), answer.body)


def _context(peer: Peer, route_key: str, event_type: str, identity: ApiIdentity, request_id: str, now: float) -> dict[str, Any]:
    return {
        "routeKey": route_key,
        "eventType": event_type,
        "extendedRequestId": request_id,
        "requestTime": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "messageDirection": "IN",
        "stage": identity.stage,
        "connectedAt": int(peer.connected_at * 1000),
        "requestTimeEpoch": int(now * 1000),
        "identity": {"sourceIp": peer.source_ip, "userAgent": peer.user_agent},
        "requestId": request_id,
        "domainName": domain_of(peer.host),
        "connectionId": peer.connection_id,
        "apiId": identity.api_id,
    }
