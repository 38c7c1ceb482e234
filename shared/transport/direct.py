"""Functions that are called by name: the event is the caller's input, a JSON object, and so is the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shared.core.errors import InvalidParameter
from shared.core.invocation import Invocation

InputFunction = Callable[[Mapping[str, Any]], dict[str, Any]]


def direct_handler(function: InputFunction) -> Callable[[Any, Any], dict[str, Any]]:
    """Make a Lambda handler; errors escape, so that the caller sees them. No input is an empty one.

    The log does not tell the answer, which may be a new account's key.
    """

    def lambda_handler(event: Any, context: Any) -> dict[str, Any]:
        with Invocation("direct", context) as invocation:
            invocation.begin_span()
            return function(checked_input(event))

    return lambda_handler


def quiet_handler(function: InputFunction) -> Callable[[Any, Any], dict[str, Any]]:
    """The same for what a host calls every few seconds: no span, and no line above DEBUG unless it fails."""

    def lambda_handler(event: Any, context: Any) -> dict[str, Any]:
        with Invocation("direct", context) as invocation:
            invocation.level = "debug"
            return function(checked_input(event))

    return lambda_handler


def checked_input(event: Any) -> Mapping[str, Any]:
    """The event as an input; raises InvalidParameter."""
    if event is not None and not isinstance(event, Mapping):
        raise InvalidParameter("The input must be a JSON object.")
    return event or {}
