"""An HTTP API of API Gateway: routes to functions with payload format 2.0, and its own answers where there is none."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from local_runtime.hosting.events.http import HttpAnswer, HttpRequestParts, MalformedAnswer, http_answer, http_event
from local_runtime.hosting.events.identity import ApiIdentity
from local_runtime.hosting.events.websocket import new_id
from local_runtime.hosting.invoker import FunctionError, FunctionTimedOut, PayloadTooLarge
from local_runtime.hosting.manifest import HttpRoute
from tests.lambda_runtime.environment import ACCOUNT_ID
from tests.support.loopback import Answered, Asked

MAX_REQUEST_BYTES = 10 * 1024 * 1024
Invoke = Callable[..., Any]
Route = tuple[HttpRoute, re.Pattern[str]]


class HttpApi:
    """The stage `$default`."""

    def __init__(self, routes: Sequence[HttpRoute], invoke: Invoke) -> None:
        # A route without variables is preferred to one with.
        ordered = sorted(routes, key=lambda route: route.path.count("{"))
        self._routes: list[Route] = [(route, _pattern(route.path)) for route in ordered]
        self._invoke = invoke
        self._identity = ApiIdentity(api_id="httpapi1", account_id=ACCOUNT_ID)

    def answer(self, asked: Asked) -> Answered:
        """What the client gets."""
        if len(asked.body) > MAX_REQUEST_BYTES:
            return _shown(_message(413, "Request Entity Too Large"))
        url = urlsplit(asked.path)
        parts = HttpRequestParts(
            asked.method, url.path, url.query, asked.headers, asked.body, asked.source_ip, new_id(), time.time()
        )
        for route, pattern in self._routes:
            match = pattern.fullmatch(url.path)
            if match and route.method in (asked.method, "ANY"):
                return _shown(self._ask(route, parts, match.groupdict()))
        return _shown(_message(404, "Not Found"))

    def _ask(self, route: HttpRoute, parts: HttpRequestParts, variables: dict[str, str]) -> HttpAnswer:
        event = http_event(parts, route.key, variables, self._identity)
        try:
            return http_answer(self._invoke(route.function, event, parts.request_id))
        except FunctionTimedOut:
            return _message(503, "Service Unavailable")
        except PayloadTooLarge as error:
            return _message(413 if error.direction == "request" else 500, "Request Entity Too Large")
        except (FunctionError, MalformedAnswer):
            return _message(500, "Internal Server Error")


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", path)
    return re.compile("".join(f"(?P<{part}>[^/]+)" if number % 2 else re.escape(part) for number, part in enumerate(parts)))


def _message(status: int, text: str) -> HttpAnswer:
    return HttpAnswer(status, (("content-type", "application/json"),), json.dumps({"message": text}).encode())


def _shown(answer: HttpAnswer) -> Answered:
    return Answered(answer.status, answer.body, answer.headers)
