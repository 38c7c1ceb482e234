"""The smoke test: an event that a function can only answer or refuse, and whether it did."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from infra.sam import Function
from local_runtime.cli.errors import EXIT_USAGE, CliError
from local_runtime.events.http import HttpRequestParts, http_event
from local_runtime.events.identity import ApiIdentity
from local_runtime.events.queue import queue_event
from local_runtime.events.websocket import Peer, connect_event, disconnect_event, message_event
from local_runtime.manifest import HttpRoute, Manifest
from shared.core.errors import ScoreboardError

_IDENTITY = ApiIdentity(api_id="smoke")
_USER_AGENT = "scoreboard-smoke-test"
_ADDRESS = "127.0.0.1"
# Nobody's: the handler is wired, looks at it, and refuses it.
_TOKEN = "smoke.test.token"  # noqa: S105 - no secret


def smoke_event(manifest: Manifest, function: Function) -> dict[str, Any]:
    """The template's SmokeEvent, or one for the function's first trigger; CliError when it has neither."""
    text = function.metadata.get("Deployment", {}).get("SmokeEvent")
    if text is not None:
        return dict(json.loads(text))
    for event in _events(manifest, function.name):
        return event
    raise CliError(
        f"nothing triggers {function.name} and the template has no SmokeEvent for it: give one with --smoke", EXIT_USAGE
    )


def _events(manifest: Manifest, name: str) -> Iterator[dict[str, Any]]:
    yield from (_request(route) for route in manifest.http_routes if route.function.name == name)
    for binding in manifest.queue_bindings:
        if binding.function.name == name:
            yield queue_event("", binding.queue, binding.virtual_host, [])
    for schedule in manifest.schedules:
        if schedule.function.name == name:
            yield dict(schedule.input or {})
    for route in manifest.websocket_api.routes if manifest.websocket_api else ():
        if route.function.name == name:
            yield _websocket(route.route_key)


def _request(route: HttpRoute) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {_TOKEN}", "content-type": "application/json", "user-agent": _USER_AGENT}
    path = route.path.replace("{", "").replace("}", "")
    body = b"" if route.method == "GET" else b"{}"
    parts = HttpRequestParts(route.method, path, "", headers, body, _ADDRESS, "smoke", time.time())
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    return http_event(parts, route.key, dict.fromkeys(names, "smoke"), _IDENTITY)


def _websocket(route_key: str) -> dict[str, Any]:
    now = time.time()
    peer = Peer("smoke", "smoke.invalid", _ADDRESS, _USER_AGENT, now)
    if route_key == "$connect":
        return connect_event(peer, {"User-Agent": _USER_AGENT}, "", _IDENTITY, "smoke", now)
    if route_key == "$disconnect":
        return disconnect_event(peer, 1000, "", _IDENTITY, "smoke", now)
    return message_event(peer, route_key, "{}", _IDENTITY, "smoke", now)


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
