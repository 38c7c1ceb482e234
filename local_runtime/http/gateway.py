"""A request for a route of the HTTP API: into an event, through its function, back into an answer.

Every request for a route comes this way, whether the short table of routes or Flask's router found it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from local_runtime.events.http import HttpAnswer, HttpRequestParts, MalformedAnswer, http_answer, http_event
from local_runtime.events.identity import ApiIdentity
from local_runtime.http.cors import CorsHeaders
from local_runtime.http.headers import completed
from local_runtime.http.problems import problem_body, problem_headers, status_line
from local_runtime.http.requests import REQUEST_ID, TrustedProxies, UnreadableBody, read_body, request_parts
from local_runtime.invoker import FunctionError, FunctionTimedOut, Invoker, PayloadTooLarge
from local_runtime.manifest import HttpRoute

logger = logging.getLogger(__name__)

StartResponse = Callable[[str, list[tuple[str, str]]], object]


class HttpGateway:
    """Answers the routes of the HTTP API through their functions."""

    def __init__(self, invoker: Invoker, max_body_bytes: int, proxies: TrustedProxies, cors: CorsHeaders) -> None:
        self._invoker = invoker
        self._max_body_bytes = max_body_bytes
        self._proxies = proxies
        self._cors = cors
        self._identity = ApiIdentity()

    def answer(
        self, environ: dict[str, Any], start_response: StartResponse, route: HttpRoute, parameters: Mapping[str, str]
    ) -> Iterable[bytes]:
        """Answer as a WSGI application does; `parameters` come percent-encoded."""
        answer = self.invoke(environ, route, parameters)
        request_id = environ[REQUEST_ID]
        headers = completed(
            [(name, value) for name, value in answer.headers if name != "X-Request-Id"], self._proxies.scheme(environ)
        )
        headers += self._cors.answer(environ)
        headers += [("X-Request-Id", request_id), ("Content-Length", str(len(answer.body)))]
        start_response(status_line(answer.status), headers)
        return (answer.body,)

    def invoke(self, environ: dict[str, Any], route: HttpRoute, parameters: Mapping[str, str]) -> HttpAnswer:
        """Invoke the route's function; what goes wrong on the way is a problem document."""
        started = time.monotonic()
        request_id = environ[REQUEST_ID]
        try:
            body = read_body(environ, self._max_body_bytes)
        except UnreadableBody as error:
            return _problem(error.status, request_id)
        parts = request_parts(environ, body, self._proxies)
        answer = self._invoke(route, parts, parameters)
        if logger.isEnabledFor(logging.DEBUG):
            took_ms = (time.monotonic() - started) * 1000
            logger.debug(
                "%s %s %s %d %.1f ms %s", request_id, parts.source_ip, route.key, answer.status, took_ms, route.function.name
            )
        return answer

    def _invoke(self, route: HttpRoute, parts: HttpRequestParts, parameters: Mapping[str, str]) -> HttpAnswer:
        request_id, name = parts.request_id, route.function.name
        event = http_event(parts, route.key, parameters, self._identity)
        try:
            return http_answer(self._invoker.invoke(route.function, event, request_id, trigger="http", is_fresh=True))
        except FunctionTimedOut as error:
            logger.error("%s %s: %s", request_id, route.key, error)  # noqa: TRY400 - the traceback would be the gateway's own
            return _problem(504, request_id)
        except PayloadTooLarge as error:
            logger.warning("%s %s: %s", request_id, route.key, error)
            return _problem(413 if error.direction == "request" else 500, request_id)
        except (FunctionError, MalformedAnswer) as error:
            logger.exception("%s %s: function %s failed", request_id, route.key, name, exc_info=error.__cause__ or error)
            return _problem(500, request_id)


def _problem(status: int, request_id: str) -> HttpAnswer:
    return HttpAnswer(status, tuple(problem_headers(status)), problem_body(status, request_id))
