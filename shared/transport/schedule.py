"""EventBridge schedules: the event is exactly the template's Input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def schedule_handler(function: Callable[[Mapping[str, Any]], dict[str, Any]]) -> Callable[[Any, Any], dict[str, Any]]:
    """Make a Lambda handler of a function of the input that answers a JSON summary; errors escape, so that they are retried."""

    def lambda_handler(event: Any, context: Any) -> dict[str, Any]:
        return function(event if isinstance(event, Mapping) else {})

    return lambda_handler
