"""The smoke test: an event that a function can only answer or refuse, and whether it did."""

from __future__ import annotations

import json
from typing import Any

from infra.sam import Function
from local_runtime.cli.errors import EXIT_USAGE, CliError
from local_runtime.hosting.events.sample import Sample, sample_event
from local_runtime.hosting.manifest import Manifest
from shared.core.errors import ScoreboardError

# Nobody's token: the handler is wired, looks at it, and refuses it.
_NOBODY = Sample("smoke", "scoreboard-smoke-test", "smoke.test.token")


def smoke_event(manifest: Manifest, function: Function) -> dict[str, Any]:
    """The template's SmokeEvent, or one for the function's first trigger; CliError when it has neither."""
    text = function.metadata.get("Deployment", {}).get("SmokeEvent")
    if text is not None:
        return dict(json.loads(text))
    event = sample_event(manifest, function.name, _NOBODY)
    if event is not None:
        return dict(event)
    raise CliError(
        f"nothing triggers {function.name} and the template has no SmokeEvent for it: give one with --smoke", EXIT_USAGE
    )


def failure(answer: Any, function_error: str | None) -> str | None:
    """Why the answer is none; None when the function answered, or refused as it is meant to."""
    if function_error:
        kind = answer.get("errorType", function_error) if isinstance(answer, dict) else function_error
        if kind in _refusals(ScoreboardError):
            return None
        return f"{kind}: {answer.get('errorMessage', '')}" if isinstance(answer, dict) else str(answer)
    status = answer.get("statusCode", 200) if isinstance(answer, dict) else 200
    return f"it answered {status}: {answer.get('body', '')}" if not isinstance(status, int) or status >= 500 else None


def _refusals(error: type[ScoreboardError]) -> set[str]:
    """The names of all errors of ours that are the caller's fault."""
    own = {error.__name__} if error.status < 500 else set()
    return own.union(*(_refusals(child) for child in error.__subclasses__()))
