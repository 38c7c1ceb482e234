"""API Gateway WebSocket API: a typed view of the event and the decorator that answers the handshake."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.core.errors import MalformedRequest, ScoreboardError
from shared.core.invocation import OK, Invocation
from shared.core.logs import get_logger
from shared.transport.bearer import bearer_token

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WebSocketRequest:
    """What a handler needs of the event; headers (lower-case names) and query stand only in `$connect`."""

    connection_id: str
    route_key: str
    headers: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(repr=False)
    body: str = field(repr=False)
    source_ip: str
    request_id: str
    path_parameters: Mapping[str, str]

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> WebSocketRequest:
        """Read a WebSocket event of any route; raises MalformedRequest when it is none."""
        try:
            return cls._read(event)
        except (KeyError, TypeError, AttributeError):
            raise MalformedRequest("This is no event of a WebSocket API.") from None

    @classmethod
    def _read(cls, event: Mapping[str, Any]) -> WebSocketRequest:
        context = event["requestContext"]
        return cls(
            connection_id=context["connectionId"],
            route_key=context["routeKey"],
            headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
            query=event.get("queryStringParameters") or {},
            body=event.get("body") or "",
            source_ip=context.get("identity", {}).get("sourceIp", ""),
            request_id=context.get("requestId", ""),
            path_parameters=event.get("pathParameters") or {},
        )

    @property
    def bearer_token(self) -> str:
        """The token of the handshake's Authorization header; raises MissingToken."""
        return bearer_token(self.headers)


def websocket_handler(function: Callable[[WebSocketRequest], Mapping[str, str]]) -> Callable[[Any, Any], dict[str, Any]]:
    """Make a Lambda handler; `function` answers response headers. An error of the tree refuses the handshake with its status."""

    def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        request = WebSocketRequest.from_event(event)
        with Invocation("websocket", context, request.request_id) as invocation:
            invocation.continues(request.headers)
            try:
                answer: dict[str, Any] = {"statusCode": 200, "headers": dict(function(request))}
                invocation.outcome = OK
            except ScoreboardError as error:
                invocation.failed(error)
                answer = {"statusCode": error.status}
            except Exception as error:
                _log.exception("unhandled error")
                invocation.failed(error)
                answer = {"statusCode": 500}
            invocation.fields.update(route=request.route_key, status=answer["statusCode"], connection_id=request.connection_id)
        return answer

    return lambda_handler
