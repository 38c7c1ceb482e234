"""The Flask application made from a manifest: every HTTP route, the page, the metrics and the way to the WebSockets."""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import ip_address
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from local_runtime.events.http import HttpAnswer, HttpRequestParts, MalformedAnswer, http_answer, http_event
from local_runtime.events.identity import ApiIdentity
from local_runtime.http.page import add_page
from local_runtime.http.problems import problem_body, problem_headers
from local_runtime.http.requests import (
    REQUEST_ID,
    TrustedProxies,
    UnreadableBody,
    choose_request_id,
    raw_path,
    read_body,
    request_parts,
)
from local_runtime.http.routing import methods_of, rule_of
from local_runtime.invoker import FunctionError, FunctionTimedOut, Invoker, PayloadTooLarge
from local_runtime.manifest import HttpRoute, Manifest
from local_runtime.metrics import CONTENT_TYPE as METRICS_CONTENT_TYPE
from local_runtime.metrics import RuntimeMetrics
from local_runtime.settings import InstanceSettings

logger = logging.getLogger(__name__)

WSGI = Callable[[dict[str, Any], Any], Iterable[bytes]]
WEBSOCKET_PATHS = ("/", "/ws")


class GatewayApp(Flask):
    """Flask without files, redirects and helpfulness of its own."""

    def __init__(self) -> None:
        super().__init__(__name__, static_folder=None)
        self.url_map.merge_slashes = False
        self.url_map.redirect_defaults = False

    def make_default_options_response(self) -> Response:
        """OPTIONS: which methods there are, and nothing else."""
        response = super().make_default_options_response()
        response.status_code = 204
        del response.headers["Content-Type"]
        return response


class Entrance:
    """What every request passes before it is routed: its id, its path in normal form, and the turn-off to the WebSockets."""

    def __init__(self, inner: WSGI, websocket: WSGI | None) -> None:
        self._inner = inner
        self._websocket = websocket

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ[REQUEST_ID] = choose_request_id(environ)
        path = raw_path(environ)
        # Flask would take slashes off the front; encoded they stay, and match no route but a greedy one.
        environ["PATH_INFO"] = path if not path.startswith("//") else f"/%2F{path[2:]}"
        if self._websocket is not None and path in WEBSOCKET_PATHS and _wants_websocket(environ):
            return self._websocket(environ, start_response)
        return self._inner(environ, start_response)


class HttpGateway:
    """Answers the routes of the HTTP API through their functions."""

    def __init__(self, invoker: Invoker, max_body_bytes: int, proxies: TrustedProxies) -> None:
        self._invoker = invoker
        self._max_body_bytes = max_body_bytes
        self._proxies = proxies
        self._identity = ApiIdentity()

    def serve(self, route: HttpRoute, names: dict[str, str], **variables: str) -> Response:
        """Invoke the route's function with the current request."""
        started = time.monotonic()
        environ = request.environ
        request_id = environ[REQUEST_ID]
        try:
            body = read_body(environ, self._max_body_bytes)
        except UnreadableBody as error:
            return _problem(error.status)
        parts = request_parts(environ, body, self._proxies)
        parameters = {names[name]: value for name, value in variables.items()}
        response = self._invoke(route, parts, parameters)
        logger.debug(
            "%s %s %s %d %.1f ms %s",
            request_id,
            parts.source_ip,
            route.key,
            response.status_code,
            (time.monotonic() - started) * 1000,
            route.function.name,
        )
        return response

    def _invoke(self, route: HttpRoute, parts: HttpRequestParts, parameters: dict[str, str]) -> Response:
        request_id, name = parts.request_id, route.function.name
        event = http_event(parts, route.key, parameters, self._identity)
        try:
            answer = http_answer(self._invoker.invoke(route.function, event, request_id, trigger="http"))
        except FunctionTimedOut as error:
            logger.error("%s %s: %s", request_id, route.key, error)  # noqa: TRY400 - the traceback would be the gateway's own
            return _problem(504)
        except PayloadTooLarge as error:
            logger.warning("%s %s: %s", request_id, route.key, error)
            return _problem(413 if error.direction == "request" else 500)
        except (FunctionError, MalformedAnswer) as error:
            logger.exception("%s %s: function %s failed", request_id, route.key, name, exc_info=error.__cause__ or error)
            return _problem(500)
        return _response(answer)


def create_app(
    manifest: Manifest,
    invoker: Invoker,
    settings: InstanceSettings,
    *,
    metrics: RuntimeMetrics,
    metrics_token: str = "",
    proxies: TrustedProxies | None = None,
    websocket: WSGI | None = None,
) -> GatewayApp:
    """Make the WSGI application; `websocket` takes the upgrades on `/` and `/ws`."""
    proxies = proxies or TrustedProxies()
    app = GatewayApp()
    gateway = HttpGateway(invoker, settings.max_body_bytes, proxies)
    for route in manifest.http_routes:
        rule = rule_of(route.path)
        view = partial(gateway.serve, route, rule.names)
        app.add_url_rule(rule.rule, route.key, view, methods=methods_of(route.method))
    taken = {route.path for route in manifest.http_routes if route.method in ("GET", "ANY")}
    if "/" not in taken:
        add_page(app)
    if "/metrics" not in taken:
        app.add_url_rule("/metrics", "metrics", partial(_metrics, metrics, metrics_token, proxies))
    if websocket is not None and "/ws" not in taken:
        app.add_url_rule("/ws", "websocket", _upgrade_required)
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(Exception, _unexpected)
    app.after_request(_finish)
    app.wsgi_app = Entrance(app.wsgi_app, websocket)  # type: ignore[method-assign]
    return app


def _wants_websocket(environ: dict[str, Any]) -> bool:
    return "websocket" in environ.get("HTTP_UPGRADE", "").lower()


def _response(answer: HttpAnswer) -> Response:
    return Response(answer.body, answer.status, list(answer.headers))


def _problem(status: int, headers: Iterable[tuple[str, str]] = ()) -> Response:
    body = problem_body(status, request.environ[REQUEST_ID])
    return Response(body, status, [*problem_headers(status), *headers])


def _http_problem(error: HTTPException) -> Response:
    allow = [(name, value) for name, value in error.get_headers() if name == "Allow"]
    return _problem(error.code or 500, allow)


def _unexpected(error: Exception) -> Response:
    logger.error("%s %s failed", request.environ.get(REQUEST_ID), request.path, exc_info=error)
    return _problem(500)


def _upgrade_required() -> Response:
    return _problem(426, [("Upgrade", "websocket")])


def _finish(response: Response) -> Response:
    headers = response.headers
    headers["X-Request-Id"] = request.environ[REQUEST_ID]
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Cache-Control", "no-store")
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    return response


def _metrics(metrics: RuntimeMetrics, token: str, proxies: TrustedProxies) -> Response:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    known = bool(token) and hmac.compare_digest(given.encode(), token.encode())
    if not known and not _asked_locally(proxies):
        return _problem(403)
    return Response(metrics.render(), content_type=METRICS_CONTENT_TYPE)


def _asked_locally(proxies: TrustedProxies) -> bool:
    # A proxy on this machine that nobody declared would make the whole world local.
    environ = request.environ
    forwarded = "HTTP_X_FORWARDED_FOR" in environ or "HTTP_FORWARDED" in environ
    if forwarded and not proxies.trusts(environ.get("REMOTE_ADDR", "")):
        return False
    try:
        return ip_address(proxies.source_ip(environ)).is_loopback
    except ValueError:
        return False
