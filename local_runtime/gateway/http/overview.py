"""How things stand for an admin's page: what the API says of it, and beside that what only the runtime knows."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Any

from flask import Response, request

from local_runtime.gateway.http.gateway import HttpGateway
from local_runtime.hosting.manifest import HttpRoute
from local_runtime.instance.directory import InstanceDirectory
from shared.core.metrics.instruments import Reading
from shared.core.metrics.processes import ProcessMetrics

OVERVIEW_PATH = "/admin/overview"
HISTORY_PATH = "/admin/history"
OVERVIEW_ROUTE = "GET /api/admin/overview"
_INVOCATIONS = "scoreboard_function_invocations_total"
_DURATIONS = "scoreboard_function_duration_seconds"
_VIEWERS = "scoreboard_websocket_connections"


class ForAdmins:
    """A view. The function behind the API decides who may see it, and whatever it refuses is its answer; `tell` gets its data."""

    def __init__(self, gateway: HttpGateway, route: HttpRoute, tell: Callable[[dict[str, Any]], object]) -> None:
        self._gateway = gateway
        self._route = route
        self._tell = tell

    def __call__(self) -> Response:
        """The API's document, its data replaced."""
        answer = self._gateway.answer_wsgi(request.environ, self._route, {})
        headers = [(name, value) for name, value in answer.headers if name != "Content-Length"]
        body = answer.body
        if answer.status == 200:
            document = json.loads(body)
            body = json.dumps({"data": self._tell(document["data"])}).encode()
        return Response(body, answer.status, headers)


def with_runtime(data: dict[str, Any], metrics: ProcessMetrics, directory: InstanceDirectory) -> dict[str, Any]:
    """The API's data with a member `runtime`: whether each of the instance's processes is there, and what they count."""
    runtime = directory.read_runtime() or {"processes": {}}
    processes = {name: _is_there(pid) for name, pid in runtime["processes"].items()}
    return {**data, "runtime": {"processes": processes, **figures(metrics.collect())}}


def figures(readings: Iterable[Reading]) -> dict[str, Any]:
    """Viewers, and of each function called by HTTP in total: count, failures, how many took no longer than so many seconds."""
    known = {reading.name: reading for reading in readings}
    functions: dict[str, dict[str, Any]] = defaultdict(lambda: {"count": 0, "failed": 0, "buckets": []})
    for (name, trigger, outcome), found in known[_INVOCATIONS].values.items():
        if trigger == "http":
            functions[name]["count"] += found
            functions[name]["failed"] += found if outcome != "ok" else 0
    durations = known[_DURATIONS]
    for (name, trigger), found in durations.values.items():
        if trigger == "http":
            counts, _ = found
            functions[name]["buckets"] = [list(each) for each in zip(durations.bounds, accumulate(counts), strict=False)]
    return {"viewers": known[_VIEWERS].values[()], "functions": functions}


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:  # another account's, which PostgreSQL's is
        return True
    except OSError:
        return False
    return True
