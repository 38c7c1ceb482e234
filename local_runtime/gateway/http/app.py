"""The Flask application made from a manifest: every HTTP route, the metrics and the way to the WebSockets."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NoReturn

import gevent
from flask import Flask, Response, request
from flask import Request as FlaskRequest
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import RequestRedirect

from local_runtime.gateway.http.cors import CorsHeaders
from local_runtime.gateway.http.gateway import HttpGateway
from local_runtime.gateway.http.headers import completed
from local_runtime.gateway.http.history import History
from local_runtime.gateway.http.host import name_in
from local_runtime.gateway.http.overview import HISTORY_PATH, OVERVIEW_PATH, OVERVIEW_ROUTE, ForAdmins, with_runtime
from local_runtime.gateway.http.parser import Request
from local_runtime.gateway.http.problems import (
    CONTENT_TYPE,
    PAGE_CONTENT_TYPE,
    not_found_page,
    problem_body,
    problem_headers,
    status_line,
    tell,
)
from local_runtime.gateway.http.proxies import TrustedProxies, plain_address
from local_runtime.gateway.http.requests import REQUEST_ID, Peer, choose_request_id, parts_of, path_of, raw_path
from local_runtime.gateway.http.routing import RouteTable, methods_of, rule_of
from local_runtime.gateway.http.scrape import Scrape
from local_runtime.hosting.events.http import HttpAnswer
from local_runtime.hosting.invoker import Invoker
from local_runtime.hosting.manifest import HttpRoute, Manifest
from local_runtime.instance.directory import InstanceDirectory
from local_runtime.settings import InstanceSettings
from shared.core.metrics.processes import ProcessMetrics
from shared.core.metrics.prometheus import CONTENT_TYPE as METRICS_CONTENT_TYPE
from shared.core.network import is_loopback

logger = logging.getLogger(__name__)

WSGI = Callable[[dict[str, Any], Any], Iterable[bytes]]
Straight = Callable[[Request, Peer], HttpAnswer | None]
_OWN_ENDPOINTS = ("overview", "metrics")  # nothing of these is the API's, and nothing for other origins
_COMPLETE = "scoreboard.complete"  # the answer has all its headers
_SIGNS_OF_A_PROXY = tuple(
    f"HTTP_{name}" for name in ("FORWARDED", "VIA", "X_FORWARDED_FOR", "X_FORWARDED_HOST", "X_FORWARDED_PROTO", "X_REAL_IP")
)
WEBSOCKET_PATHS = ("/", "/ws")


class GatewayApp(Flask):
    """Flask without files, redirects and helpfulness of its own; `straight` goes past it, see Entrance; tend its `history`.

    `cors` is for answers that are made without it.
    """

    straight: Straight
    cors: CorsHeaders

    def __init__(self) -> None:
        super().__init__(__name__, static_folder=None)
        self.history: History | None = None
        self.url_map.merge_slashes = False
        self.url_map.redirect_defaults = False

    def raise_routing_exception(self, request: FlaskRequest) -> NoReturn:
        """A path of which only another one with a slash is known is unknown, as at API Gateway."""
        if isinstance(request.routing_exception, RequestRedirect):
            raise NotFound
        super().raise_routing_exception(request)

    def make_default_options_response(self) -> Response:
        """OPTIONS: which methods there are, and nothing else. Of paths that match, the one with fewest parameters."""
        response = super().make_default_options_response()
        path = request.url_rule.rule if request.url_rule else ""
        own = {method for rule in self.url_map.iter_rules() if rule.rule == path for method in rule.methods or ()}
        if own:
            response.headers["Allow"] = ", ".join(sorted(own))
        response.status_code = 204
        del response.headers["Content-Type"]
        return response


class Entrance:
    """What every request passes: its id, its path in normal form, and the turn-off to the WebSockets.

    A request that names one route, and only one, goes straight to its function, without an environment if the server can do
    without. Flask has the others: what is no function, greedy paths, `ANY`, HEAD, OPTIONS, and all that is to be refused.
    """

    def __init__(
        self, inner: WSGI, gateway: HttpGateway, routes: RouteTable, proxies: TrustedProxies, websocket: WSGI | None
    ) -> None:
        self._inner = inner
        self._proxies = proxies
        self._gateway = gateway
        self._routes = routes
        self._websocket = websocket

    def straight(self, request: Request, peer: Peer) -> HttpAnswer | None:
        """The answer to a request that a server has parsed and that names one route; None for all others, for WSGI."""
        if "upgrade" in request.headers:
            return None
        path = path_of(request.target)
        found = self._routes.find(request.method, path)
        return None if found is None else self._gateway.answer(parts_of(request, path, peer, self._proxies), *found)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """The same of an environment, and everything that is not for a route."""
        environ[REQUEST_ID] = choose_request_id(environ)
        path = raw_path(environ)
        # Flask would take slashes off the front; encoded they stay, and match no route but a greedy one.
        environ["PATH_INFO"] = path if not path.startswith("//") else f"/%2F{path[2:]}"
        if self._websocket is not None and path in WEBSOCKET_PATHS and _wants_websocket(environ):
            return self._websocket(environ, start_response)
        found = self._routes.find(environ["REQUEST_METHOD"], path)
        if found is not None:
            answer = self._gateway.answer_wsgi(environ, *found)
            start_response(status_line(answer.status), list(answer.headers))
            return (answer.body,)
        return self._inner(environ, start_response)


def create_app(
    manifest: Manifest,
    invoker: Invoker,
    settings: InstanceSettings,
    *,
    metrics: ProcessMetrics,
    metrics_token: str = "",
    proxies: TrustedProxies | None = None,
    websocket: WSGI | None = None,
) -> GatewayApp:
    """Make the WSGI application; `websocket` takes the upgrades on `/` and `/ws`."""
    proxies = proxies or TrustedProxies()
    app = GatewayApp()
    app.cors = cors = CorsHeaders(manifest.cors)
    gateway = HttpGateway(invoker, proxies, cors)
    for route in manifest.http_routes:
        rule = rule_of(route.path)
        view = partial(_serve, gateway, route, rule.names)
        app.add_url_rule(rule.rule, route.key, view, methods=methods_of(route.method))
    taken = {route.path for route in manifest.http_routes if route.method in ("GET", "ANY")}
    overview = next((route for route in manifest.http_routes if route.key == OVERVIEW_ROUTE), None)
    scrape, directory = Scrape(metrics, manifest, invoker), InstanceDirectory(settings.data_dir)
    if overview is not None:
        app.history = history = History(scrape.readings, directory.metrics, gevent.spawn)
        tell = partial(with_runtime, metrics=metrics, directory=directory)
        app.add_url_rule(OVERVIEW_PATH, "overview", ForAdmins(gateway, overview, tell))
        app.add_url_rule(HISTORY_PATH, "history", ForAdmins(gateway, overview, lambda _: history.samples()))
    if "/metrics" not in taken:
        app.add_url_rule("/metrics", "metrics", partial(_metrics, scrape, metrics_token, proxies))
    if websocket is not None and "/ws" not in taken:
        app.add_url_rule("/ws", "websocket", _upgrade_required)
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(Exception, _unexpected)
    app.after_request(partial(_finish, proxies, cors))
    entrance = Entrance(app.wsgi_app, gateway, RouteTable(manifest.http_routes), proxies, websocket)
    app.wsgi_app, app.straight = entrance, entrance.straight  # type: ignore[method-assign]
    return app


def _serve(gateway: HttpGateway, route: HttpRoute, names: dict[str, str], **variables: str) -> Response:
    request.environ[_COMPLETE] = True
    answer = gateway.answer_wsgi(request.environ, route, {names[name]: value for name, value in variables.items()})
    return Response(answer.body, answer.status, list(answer.headers))


def _wants_websocket(environ: dict[str, Any]) -> bool:
    return "websocket" in environ.get("HTTP_UPGRADE", "").lower()


def _problem(status: int, headers: Iterable[tuple[str, str]] = ()) -> Response:
    request_id = request.environ[REQUEST_ID]
    tell(status, request_id)
    body = problem_body(status, request_id)
    return Response(body, status, [*problem_headers(status), *headers])


def _http_problem(error: HTTPException) -> Response:
    if error.code == 404 and _asks_for_a_page():
        request_id = request.environ[REQUEST_ID]
        tell(404, request_id)
        return Response(not_found_page(request_id), 404, problem_headers(404, PAGE_CONTENT_TYPE))
    allow = [(name, value) for name, value in error.get_headers() if name == "Allow"]
    return _problem(error.code or 500, allow)


def _asks_for_a_page() -> bool:
    """Whether a browser asks, which names HTML before JSON; programs take anything, or say nothing. The API has no pages."""
    if request.method not in ("GET", "HEAD") or request.path.startswith("/api/"):
        return False
    wanted = request.accept_mimetypes
    return wanted["text/html"] > max(wanted["application/json"], wanted[CONTENT_TYPE])


def _unexpected(error: Exception) -> Response:
    logger.error("%s %s failed", request.environ.get(REQUEST_ID), request.path, exc_info=error)
    return _problem(500)


def _upgrade_required() -> Response:
    return _problem(426, [("Upgrade", "websocket")])


def _finish(proxies: TrustedProxies, cors: CorsHeaders, response: Response) -> Response:
    if _COMPLETE in request.environ:
        return response
    if request.endpoint not in _OWN_ENDPOINTS:
        asked = request.headers.get("Access-Control-Request-Method", "")
        response.headers.extend(cors.answer(request.method, request.headers.get("Origin", ""), asked))
    response.headers["X-Request-Id"] = request.environ[REQUEST_ID]
    response.headers = Headers(completed(response.headers.items(), proxies.scheme(request.environ)))
    return response


def _metrics(scrape: Scrape, token: str, proxies: TrustedProxies) -> Response:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    known = bool(token) and hmac.compare_digest(given.encode(), token.encode())
    if not known and not _asked_locally(proxies):
        return _problem(403)
    return Response(scrape.run(), content_type=METRICS_CONTENT_TYPE)


def _asked_locally(proxies: TrustedProxies) -> bool:
    """Whether somebody on this machine asks, and nobody on their behalf.

    A proxy on this machine would make the whole world local; and so would a name that a page's owner has had resolve to this
    machine, for the page's browser is here.
    """
    environ = request.environ
    peer = plain_address(environ.get("REMOTE_ADDR", ""))
    if proxies.trusts(peer) or any(sign in environ for sign in _SIGNS_OF_A_PROXY):
        return False
    return is_loopback(peer) and is_loopback(name_in(environ.get("HTTP_HOST", "")))
