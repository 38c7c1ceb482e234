"""How things stand for an admin's page: what the API says of it, and beside that what only the runtime knows."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from typing import Any

from flask import Response, request

from local_runtime.http.gateway import HttpGateway
from local_runtime.instance.directory import InstanceDirectory
from local_runtime.manifest import HttpRoute
from local_runtime.metrics import RuntimeMetrics

OVERVIEW_PATH = "/admin/overview"
OVERVIEW_ROUTE = "GET /api/admin/overview"
_INVOCATIONS = "scoreboard_function_invocations_total"
_DURATIONS = "scoreboard_function_duration_seconds_bucket"
_VIEWERS = "scoreboard_websocket_connections"


class Overview:
    """A view. The function behind the API decides who may see it, and whatever it refuses is its answer."""

    def __init__(self, gateway: HttpGateway, route: HttpRoute, metrics: RuntimeMetrics, directory: InstanceDirectory) -> None:
        self._gateway = gateway
        self._route = route
        self._metrics = metrics
        self._directory = directory

    def __call__(self) -> Response:
        """The API's document, its data with a member `runtime`."""
        answer = self._gateway.answer_wsgi(request.environ, self._route, {})
        headers = [(name, value) for name, value in answer.headers if name != "Content-Length"]
        body = answer.body
        if answer.status == 200:
            document = json.loads(body)
            document["data"]["runtime"] = {"processes": self._processes(), **figures(self._metrics)}
            body = json.dumps(document).encode()
        return Response(body, answer.status, headers)

    def _processes(self) -> dict[str, bool]:
        """Whether each of the instance's processes is there."""
        runtime = self._directory.read_runtime() or {"processes": {}}
        return {name: _is_there(pid) for name, pid in runtime["processes"].items()}


def figures(metrics: RuntimeMetrics) -> dict[str, Any]:
    """Viewers, and of each function called by HTTP in total: count, failures, how many took no longer than so many seconds."""
    functions: dict[str, dict[str, Any]] = defaultdict(lambda: {"count": 0, "failed": 0, "buckets": []})
    viewers = 0.0
    for sample in metrics.samples():
        if sample.name == _VIEWERS:
            viewers += sample.value
        elif sample.labels.get("trigger") != "http":
            continue
        elif sample.name == _INVOCATIONS:
            function = functions[sample.labels["function"]]
            function["count"] += int(sample.value)
            function["failed"] += int(sample.value) if sample.labels["outcome"] != "ok" else 0
        elif sample.name == _DURATIONS and sample.labels["le"] != "+Inf":
            functions[sample.labels["function"]]["buckets"].append([float(sample.labels["le"]), int(sample.value)])
    return {"viewers": int(viewers), "functions": functions}


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:  # another account's, which PostgreSQL's is
        return True
    except OSError:
        return False
    return True
