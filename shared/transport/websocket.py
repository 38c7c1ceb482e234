"""API Gateway WebSocket API: a typed view of the event and the decorator that answers the handshake."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, unquote

import msgspec

from shared.core.errors import MalformedRequest, PayloadTooLarge, ScoreboardError, told
from shared.core.invocation import OK, Invocation
from shared.core.logs import get_logger
from shared.transport.bearer import bearer_token

MAX_MESSAGE_BYTES, MAX_ECHOED_ID = 4096, 64
_json = msgspec.json.Encoder()
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
    is_message: bool = False
    authorizer: Mapping[str, str] = field(default_factory=dict)

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
            is_message=context.get("eventType") == "MESSAGE",
            authorizer=context.get("authorizer") or {},
        )

    @property
    def message(self) -> Mapping[str, Any]:
        """The JSON object that was sent; nothing in it where it was something else."""
        try:
            message = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return {}
        return message if isinstance(message, dict) else {}

    @property
    def bounded_message(self) -> Mapping[str, Any]:
        """The same of one that is to be answered; raises PayloadTooLarge."""
        if len(self.body.encode()) > MAX_MESSAGE_BYTES:
            raise PayloadTooLarge(f"A message that is to be answered has at most {MAX_MESSAGE_BYTES} bytes.")
        return self.message

    @property
    def has_token(self) -> bool:
        """Whether the connection came with a token, as its gateway says."""
        return self.authorizer.get("principalId", "") != ""

    @property
    def subscriptions(self) -> list[str]:
        """The ids under which the connection watches something, as its gateway says."""
        return [unquote(key) for key in self.authorizer.get("subscriptions", "").split()]

    @property
    def bearer_token(self) -> str:
        """The token of the handshake's Authorization header; raises MissingToken."""
        return bearer_token(self.headers)


class WebSocketReply(NamedTuple):
    """A message to the connection, behind which its gateway sends it a view under an id (`subscribe` names both), or ends what it
    sends under an id (`unsubscribe`).
    """

    text: str
    subscribe: tuple[str, str] | None = None
    unsubscribe: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What the gateway is told."""
        told = {"X-Reply": "yes"}
        if self.subscribe is not None:
            message_id, view = self.subscribe
            told["X-Subscribe"] = f"{quote(message_id, safe='')} {view}"
        if self.unsubscribe is not None:
            told["X-Unsubscribe"] = quote(self.unsubscribe, safe="")
        return told


Answer = Mapping[str, str] | WebSocketReply


class ReplyGateway(Protocol):
    """Heeds replies in the place of a gateway that does not."""

    def known(self, connection_id: str) -> Mapping[str, str]:
        """What the event's authorizer says elsewhere; raises an error of the tree."""
        ...

    def heed(self, connection_id: str, reply: WebSocketReply) -> None:
        """Send the message, and do what stands beside it; raises an error of the tree."""
        ...


def answers(
    types: Collection[str], find_gateway: Callable[[], ReplyGateway | None]
) -> Callable[[Callable[[WebSocketRequest], WebSocketReply]], Callable[[WebSocketRequest], Answer]]:
    """Decorate what answers messages of these types; all others are received and not answered.

    `find_gateway` answers None where what holds the connections heeds the reply.
    """

    def decorate(function: Callable[[WebSocketRequest], WebSocketReply]) -> Callable[[WebSocketRequest], Answer]:
        def answer(request: WebSocketRequest) -> Answer:
            if request.message.get("type") not in types:
                return {}
            gateway = find_gateway()
            if gateway is None:
                return function(request)
            try:
                known = gateway.known(request.connection_id)
                gateway.heed(request.connection_id, function(replace(request, authorizer=known)))
            except Exception as error:
                gateway.heed(request.connection_id, _refusal(request, told(error)))
                raise
            return {}

        return answer

    return decorate


def websocket_handler(function: Callable[[WebSocketRequest], Answer]) -> Callable[[Any, Any], dict[str, Any]]:
    """Make a Lambda handler; `function` answers response headers, or a message.

    An error of the tree refuses the handshake with its status. Of a message it becomes the answer, with the message's id.
    """

    def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        request = WebSocketRequest.from_event(event)
        with Invocation("websocket", context, request.request_id) as invocation:
            invocation.continues(request.headers)
            try:
                answer = _answer(200, function(request))
                invocation.outcome = OK
            except ScoreboardError as error:
                invocation.failed(error)
                answer = _refused(request, told(error))
            except Exception as error:
                _log.exception("unhandled error")
                invocation.failed(error)
                answer = _refused(request, ScoreboardError())
            invocation.fields.update(route=request.route_key, status=answer["statusCode"], connection_id=request.connection_id)
        return answer

    return lambda_handler


def _answer(status: int, given: Answer) -> dict[str, Any]:
    if isinstance(given, WebSocketReply):
        return {"statusCode": status, "headers": given.headers, "body": given.text}
    return {"statusCode": status, "headers": dict(given)}


def _refused(request: WebSocketRequest, error: ScoreboardError) -> dict[str, Any]:
    return _answer(error.status, _refusal(request, error)) if request.is_message else {"statusCode": error.status}


def _refusal(request: WebSocketRequest, error: ScoreboardError) -> WebSocketReply:
    message_id = request.message.get("id")
    echoed = message_id if isinstance(message_id, str) and len(message_id) <= MAX_ECHOED_ID else None
    return WebSocketReply(_json.encode(error.as_message(id=echoed)).decode())
