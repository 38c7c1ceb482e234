"""EventBridge schedules: the event is exactly the template's Input, unless a message of a queue woke the function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.core.invocation import Invocation
from shared.transport.direct import InputFunction, checked_input

_TOLD = (bool, int, float, str)


def schedule_handler(function: InputFunction) -> Callable[[Any, Any], dict[str, Any]]:
    """Make a Lambda handler; errors escape, so that the run is tried again. The log tells what came of it, but for lists."""

    def lambda_handler(event: Any, context: Any) -> dict[str, Any]:
        with Invocation("schedule", context) as invocation:
            given = checked_input(event)
            if "rmqMessagesByQueue" in given:
                invocation.trigger = "queue"
            invocation.begin_span()
            result = function(given)
            invocation.fields["result"] = {name: value for name, value in result.items() if isinstance(value, _TOLD)}
        return result

    return lambda_handler
