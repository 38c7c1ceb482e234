"""Events of no client: payloads as AWS documents them, one of each kind, and events for the functions of a template."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_runtime.hosting.events.http import HttpRequestParts, http_event
from local_runtime.hosting.events.identity import ApiIdentity
from local_runtime.hosting.events.queue import queue_event
from local_runtime.hosting.events.websocket import Peer, connect_event, disconnect_event, message_event
from local_runtime.hosting.manifest import HttpRoute, Manifest

SAMPLES = Path(__file__).with_name("samples")
_ADDRESS = "127.0.0.1"


def sample_payload(name: str) -> Any:
    """A payload of SAMPLES, by its file's name without `.json`."""
    return json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))


def sample_names() -> list[str]:
    """Of the events, without what handlers answer to some of them."""
    return sorted(path.stem for path in SAMPLES.glob("*.json") if "_response" not in path.stem)


@dataclass(frozen=True, slots=True)
class Sample:
    """Who asks for what; every parameter of a path without a value of its own is the `api_id`."""

    api_id: str
    user_agent: str
    token: str = field(default="", repr=False)
    path: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def sample_event(manifest: Manifest, name: str, sample: Sample) -> Any | None:
    """The event of a function's first trigger; None when nothing triggers it. A queue gives a batch without messages."""
    return next(_events(manifest, name, sample), None)


def request_event(route: HttpRoute, sample: Sample) -> dict[str, Any]:
    """Of one route."""
    own = {"content-type": "application/json", "user-agent": sample.user_agent}
    if sample.token:
        own["authorization"] = f"Bearer {sample.token}"
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    values = {name: sample.path.get(name, sample.api_id) for name in names}
    path = route.path.format(**values)
    body = b"" if route.method == "GET" else json.dumps(sample.body).encode()
    parts = HttpRequestParts(route.method, path, "", {**own, **sample.headers}, body, _ADDRESS, sample.api_id, time.time())
    return http_event(parts, route.key, values, ApiIdentity(api_id=sample.api_id))


def _events(manifest: Manifest, name: str, sample: Sample) -> Iterator[Any]:
    yield from (request_event(route, sample) for route in manifest.http_routes if route.function.name == name)
    for binding in manifest.queue_bindings:
        if binding.function.name == name:
            yield queue_event("", binding.queue, binding.virtual_host, [])
    for schedule in manifest.schedules:
        if schedule.function.name == name:
            yield dict(schedule.input or {})
    for route in manifest.websocket_api.routes if manifest.websocket_api else ():
        if route.function.name == name:
            yield _websocket(route.route_key, sample)


def _websocket(route_key: str, sample: Sample) -> dict[str, Any]:
    now, identity = time.time(), ApiIdentity(api_id=sample.api_id)
    peer = Peer(sample.api_id, f"{sample.api_id}.invalid", _ADDRESS, sample.user_agent, now)
    if route_key == "$connect":
        shown = {"Authorization": f"Bearer {sample.token}"} if sample.token else {}
        return connect_event(peer, {"User-Agent": sample.user_agent, **shown}, "", identity, sample.api_id, now)
    if route_key == "$disconnect":
        return disconnect_event(peer, 1000, "", identity, sample.api_id, now)
    return message_event(peer, route_key, "{}", identity, sample.api_id, now)
