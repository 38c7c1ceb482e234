"""Functions that are called by name: the event is the caller's input, a JSON object, and so is the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shared.errors import InvalidParameter

InputFunction = Callable[[Mapping[str, Any]], dict[str, Any]]


def direct_handler(function: InputFunction) -> Callable[[Any, Any], dict[str, Any]]:
    """Make a Lambda handler; errors escape, so that the caller sees them. No input is an empty one."""

    def lambda_handler(event: Any, context: Any) -> dict[str, Any]:
        if event is not None and not isinstance(event, Mapping):
            raise InvalidParameter("The input must be a JSON object.")
        return function(event or {})

    return lambda_handler
