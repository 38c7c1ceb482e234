"""A request for a route of the HTTP API: into an event, through its function, back into an answer.

Every request for a route comes this way, whether the short table of routes or Flask's router found it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from local_runtime.gateway.http.cors import CorsHeaders
from local_runtime.gateway.http.headers import completed
from local_runtime.gateway.http.problems import problem_body, problem_headers
from local_runtime.gateway.http.proxies import TrustedProxies
from local_runtime.gateway.http.requests import request_parts
from local_runtime.hosting.events.http import HttpAnswer, HttpRequestParts, MalformedAnswer, http_answer, http_event
from local_runtime.hosting.events.identity import ApiIdentity
from local_runtime.hosting.invoker import SMALL_BYTES, FunctionError, FunctionTimedOut, Invoker, PayloadTooLarge
from local_runtime.hosting.manifest import HttpRoute
from shared.core.metrics import responses
from shared.core.metrics.instruments import Counter

logger = logging.getLogger(__name__)

_WITHOUT_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class HttpGateway:
    """Answers the routes of the HTTP API through their functions."""

    def __init__(self, invoker: Invoker, proxies: TrustedProxies, cors: CorsHeaders) -> None:
        self._invoker = invoker
        self._proxies = proxies
        self._cors = cors
        self._identity = ApiIdentity()
        self._counters: dict[tuple[str, int], Counter] = {}  # at hand: every request counts

    def answer(self, parts: HttpRequestParts, route: HttpRoute, parameters: Mapping[str, str]) -> HttpAnswer:
        """The whole answer to a request for a route; `parameters` come percent-encoded."""
        origin = parts.headers.get("origin", "")
        cors = self._cors.answer(parts.method, origin, parts.headers.get("access-control-request-method", ""))
        scheme = parts.headers["x-forwarded-proto"]
        answer = self._answer(parts, route, parameters)
        self._count(route.function.name, answer.status)
        return _complete(answer, parts.request_id, scheme, cors)

    def answer_wsgi(self, environ: dict[str, Any], route: HttpRoute, parameters: Mapping[str, str]) -> HttpAnswer:
        """The same of an environment."""
        return self.answer(request_parts(environ, self._proxies), route, parameters)

    def _count(self, function: str, status: int) -> None:
        counter = self._counters.get((function, status))
        if counter is None:
            counter = self._counters[function, status] = responses.of(function, str(status))
        counter.value += 1

    def _answer(self, parts: HttpRequestParts, route: HttpRoute, parameters: Mapping[str, str]) -> HttpAnswer:
        """What goes wrong on the way is a problem document."""
        if not logger.isEnabledFor(logging.DEBUG):
            return self._invoke(route, parts, parameters)
        started = time.monotonic()
        answer = self._invoke(route, parts, parameters)
        took_ms = (time.monotonic() - started) * 1000
        logger.debug(
            "%s %s %s %d %.1f ms %s", parts.request_id, parts.source_ip, route.key, answer.status, took_ms, route.function.name
        )
        return answer

    def _invoke(self, route: HttpRoute, parts: HttpRequestParts, parameters: Mapping[str, str]) -> HttpAnswer:
        request_id, name = parts.request_id, route.function.name
        event = http_event(parts, route.key, parameters, self._identity)
        try:
            is_small = len(parts.body) <= SMALL_BYTES
            return http_answer(self._invoker.invoke(route.function, event, request_id, trigger="http", is_plain=is_small))
        except FunctionTimedOut as error:
            logger.error("%s %s: %s", request_id, route.key, error)  # noqa: TRY400 - the traceback would be the gateway's own
            return _problem(504, request_id)
        except PayloadTooLarge as error:
            logger.warning("%s %s: %s", request_id, route.key, error)
            return _problem(413 if error.direction == "request" else 500, request_id)
        except (FunctionError, MalformedAnswer) as error:
            logger.exception("%s %s: function %s failed", request_id, route.key, name, exc_info=error.__cause__ or error)
            return _problem(500, request_id)


def _complete(answer: HttpAnswer, request_id: str, scheme: str, cors: Iterable[tuple[str, str]]) -> HttpAnswer:
    headers = completed(answer.headers, scheme)
    names = [name for name, _ in headers]
    headers += cors
    if "X-Request-Id" in names:  # a function says it, too, but it is ours to say
        headers[names.index("X-Request-Id")] = ("X-Request-Id", request_id)
    else:
        headers.append(("X-Request-Id", request_id))
    if answer.status in _WITHOUT_BODY:
        of_no_body = tuple(header for header in headers if header[0].lower() != "content-type")
        return HttpAnswer(answer.status, of_no_body, b"")
    headers.append(("Content-Length", str(len(answer.body))))
    return HttpAnswer(answer.status, tuple(headers), answer.body)


def _problem(status: int, request_id: str) -> HttpAnswer:
    return HttpAnswer(status, tuple(problem_headers(status)), problem_body(status, request_id))
