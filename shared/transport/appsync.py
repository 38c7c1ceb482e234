"""AppSync Events: a typed view of what its Lambda authorizer is asked, and the decorator that answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.core.errors import MalformedRequest, ScoreboardError
from shared.core.invocation import OK, Invocation


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """Who wants to do what: `operation` is EVENT_CONNECT, EVENT_SUBSCRIBE or EVENT_PUBLISH; a connection has no channel."""

    token: str = field(repr=False)
    operation: str
    channel: str

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> AuthorizationRequest:
        """Read the authorizer's event; raises MalformedRequest when it is none."""
        try:
            context = event["requestContext"]
            return cls(event.get("authorizationToken") or "", context["operation"], context.get("channel") or "")
        except (KeyError, TypeError, AttributeError):
            raise MalformedRequest("This is no event of AppSync's authorizer.") from None


def authorizer_handler(function: Callable[[AuthorizationRequest], None]) -> Callable[[Any, Any], dict[str, Any]]:
    """Make a Lambda handler: who makes `function` raise is not let in. No answer may be remembered for the next request."""

    def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        request = AuthorizationRequest.from_event(event)
        with Invocation("authorizer", context) as invocation:
            invocation.fields["operation"] = request.operation
            try:
                function(request)
                invocation.outcome = OK
            except ScoreboardError as error:
                invocation.failed(error)
        return {"isAuthorized": invocation.outcome is OK, "ttlOverride": 0}

    return lambda_handler
