"""AWS::Serverless::HttpApi and WebSocketApi: their routes, and that each request has exactly one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from local_runtime.hosting.manifest import Cors, Function, HttpRoute, WebSocketApi, WebSocketRoute
from local_runtime.hosting.template.fields import Fields, Reading
from local_runtime.hosting.template.references import ALIAS
from local_runtime.hosting.template.resources import HTTP_API, Resource
from local_runtime.hosting.template.tree import Node
from shared.core.origins import is_exact

MAX_AGE_SECONDS = 86_400
MAX_HTTP_SECONDS = 30
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY")
_LITERAL = re.compile(r"[A-Za-z0-9._~!$&'()*,;=:@%-]+")
_PARAMETER = re.compile(r"\{([A-Za-z0-9._:-]+)(\+?)\}")
_HTTP_WITHOUT_EFFECT = frozenset(
    [
        "AccessLogSettings",
        "DefaultRouteSettings",
        "Description",
        "DisableExecuteApiEndpoint",
        "Domain",
        "FailOnWarnings",
        "Name",
        "PropagateTags",
        "RouteSettings",
        "Tags",
    ]
)
MAX_WEBSOCKET_SECONDS = 29
SPECIAL_ROUTES = ("$connect", "$disconnect", "$default")
_SELECTION = re.compile(r"\$request\.body(\.[A-Za-z0-9_-]+)+|\$\{request\.body(\.[A-Za-z0-9_-]+)+\}")
_STAGE = re.compile(r"[A-Za-z0-9_-]{1,128}")
_WEBSOCKET_WITHOUT_EFFECT = frozenset(
    [
        "AccessLogSettings",
        "DefaultRouteSettings",
        "Description",
        "DisableExecuteApiEndpoint",
        "Domain",
        "IpAddressType",
        "Name",
        "PropagateTags",
        "RouteSettings",
        "Tags",
    ]
)


def read_cors(fields: Fields, reading: Reading) -> Cors:
    """Of the API's `fields`. Origins are exact: `*` would also open the API to pages nobody has heard of."""
    cors = fields.fields("CorsConfiguration", "CORS configuration")
    if cors is None:
        return Cors()
    origins = _texts(cors, "AllowOrigins", reading)
    node = cors.node("AllowOrigins")
    for origin in origins:
        if node is not None and not is_exact(origin):
            reading.report.add(node, f"names {origin!r}", "exact origins in small letters, e.g. https://game.example:8443")
    found = Cors(
        origins=origins,
        methods=_texts(cors, "AllowMethods", reading),
        headers=_texts(cors, "AllowHeaders", reading),
        exposed_headers=_texts(cors, "ExposeHeaders", reading),
        max_age_seconds=cors.integer("MaxAge", 0, MAX_AGE_SECONDS, 0),
    )
    # Nobody is known by a cookie here.
    cors.only("AllowCredentials", ("false",), "false")
    cors.finish()
    return found


def _texts(fields: Fields, name: str, reading: Reading) -> tuple[str, ...]:
    value = fields.value(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        node = fields.node(name)
        if node is not None:
            reading.report.add(node, "is no list of texts")
        return ()
    return tuple(value)


def read_http_api(resource: Resource, reading: Reading) -> Cors:
    """The API itself: authorizers and own definitions are not hosted, and therefore refused."""
    fields = Fields(resource.properties, reading, "HTTP API")
    # A named stage would stand at the front of every path.
    fields.only("StageName", ("$default",), "$default")
    cors = read_cors(fields, reading)
    fields.without_effect(_HTTP_WITHOUT_EFFECT)
    fields.finish()
    return cors


def check_apis(apis: Sequence[Resource], reading: Reading, what: str) -> None:
    """One instance has one base URL, so there is one API of a kind."""
    for extra in apis[1:]:
        reading.report.add(reading.resources[extra.logical_id], f"is a second {what}", f"one ({apis[0].logical_id})")


def read_http_event(fields: Fields, event: Node, function: Function, reading: Reading) -> HttpRoute | None:
    """A route of the API."""
    _check_api(fields, event, reading)
    path = fields.text("Path", required=True)
    method = (fields.text("Method", required=True) or "").upper()
    fields.only("PayloadFormatVersion", ("2.0",), "2.0")
    fields.without_effect(("RouteSettings",))
    fields.finish()
    if method and method not in METHODS:
        reading.report.add(event, f"the method {method} is not supported", ", ".join(METHODS))
    if path is not None and (message := _broken_path(path)):
        reading.report.add(event, f"the path {path!r} {message}", "/a/{b}/c, and {b+} as the last part")
    if function.timeout_seconds > MAX_HTTP_SECONDS:
        limit = f"an HTTP API waits {MAX_HTTP_SECONDS} s"
        message = f"{limit}, but {function.logical_id} has a Timeout of {function.timeout_seconds}"
        reading.report.add(event, message, f"Timeout up to {MAX_HTTP_SECONDS}")
    return HttpRoute(function, method, path) if path and method else None


def _check_api(fields: Fields, event: Node, reading: Reading) -> None:
    declared = [name for name, node in reading.resources.items() if node.member("Type").text == HTTP_API]
    node = fields.node("ApiId")
    name, argument = (node.intrinsic() or ("", node)) if node else ("", None)
    if node is None and declared:
        reading.report.add(event, "ApiId is missing, so that SAM would make another API", f"!Ref {declared[0]}")
    elif node is not None and (name != "Ref" or argument is None or argument.text not in declared):
        reading.report.add(node, "is no HTTP API of this template", ", ".join(f"!Ref {each}" for each in declared))


def _broken_path(path: str) -> str | None:
    if path == "/":
        return None
    # `/a/` is another route than `/a`, there as here.
    segments = (path if path.endswith("}/") else path.removesuffix("/")).split("/")
    if segments[0] or "" in segments[1:]:
        return "does not begin with a /, or has an empty part"
    names = []
    for index, segment in enumerate(segments[1:], start=2):
        match = _PARAMETER.fullmatch(segment)
        if match is None and not _LITERAL.fullmatch(segment):
            return f"has the part {segment!r}, which is neither a literal nor a parameter"
        if match and match[2] and index != len(segments):
            return f"goes on after {segment}, which takes everything"
        names += [match[1]] if match else []
    return "names a parameter twice" if len(set(names)) < len(names) else None


def check_routes(routes: Sequence[tuple[HttpRoute, Node]], reading: Reading) -> None:
    """No two routes for the same requests."""
    seen: dict[tuple[str, str], HttpRoute] = {}
    for route, event in routes:
        shape = _PARAMETER.sub(r"{\2}", route.path)
        first = seen.setdefault((route.method, shape), route)
        if first is route:
            continue
        if first.path == route.path:
            reading.report.add(event, f"the route {route.key} is already {first.function.logical_id}'s")
        else:
            reading.report.add(event, f"the route {route.key} cannot be told from {first.key} of {first.function.logical_id}")


def read_websocket_api(resource: Resource, functions: Mapping[str, Function], reading: Reading) -> WebSocketApi:
    """The API with its routes; what is wrong is reported."""
    fields = Fields(resource.properties, reading, "WebSocket API")
    stage = _checked(fields, "StageName", _STAGE, "default", "letters, digits, _ and -", reading)
    selection = _checked(fields, "RouteSelectionExpression", _SELECTION, "", "$request.body.action", reading, required=True)
    node = fields.node("Routes", required=True)
    fields.without_effect(_WEBSOCKET_WITHOUT_EFFECT)
    fields.finish()
    routes = [route for key, each in (node.members if node else {}).items() if (route := _route(key, each, functions, reading))]
    if node is not None and "$connect" not in node.members:
        reading.report.add(node, "has no $connect, so that anybody could connect", ", ".join(SPECIAL_ROUTES))
    return WebSocketApi(stage, selection, tuple(routes))


def _checked(
    fields: Fields, name: str, pattern: re.Pattern[str], default: str, form: str, reading: Reading, *, required: bool = False
) -> str:
    value = fields.text(name, required=required)
    if value is None:
        return default
    node = fields.node(name)
    if node is not None and not pattern.fullmatch(value):
        reading.report.add(node, f"is {value!r}", form)
    return value


def _route(key: str, node: Node, functions: Mapping[str, Function], reading: Reading) -> WebSocketRoute | None:
    fields = Fields(node, reading, "WebSocket route")
    target = fields.node("FunctionArn", required=True)
    fields.without_effect(("OperationName",))
    fields.finish()
    if key not in SPECIAL_ROUTES and not (key.isascii() and key.isalnum()):
        reading.report.add(node, f"the route key {key!r} is not supported", f"{', '.join(SPECIAL_ROUTES)}, letters and digits")
    if target is None:
        return None
    function = functions.get(_function_of(target))
    if function is None:
        if not reading.report.mentions(target):
            reading.report.add(target, "is no function of this template", "!Ref of a function's Alias, !GetAtt of its Arn")
        return None
    if function.timeout_seconds > MAX_WEBSOCKET_SECONDS:
        limit = f"a WebSocket API waits {MAX_WEBSOCKET_SECONDS} s"
        message = f"{limit}, but {function.logical_id} has a Timeout of {function.timeout_seconds}"
        reading.report.add(node, message, f"Timeout up to {MAX_WEBSOCKET_SECONDS}")
    return WebSocketRoute(function, key)


def _function_of(target: Node) -> str:
    name, argument = target.intrinsic() or ("", target)
    if name == "Ref" and argument.text.endswith(ALIAS):
        return argument.text.removesuffix(ALIAS)
    parts = [str(item.value) for item in argument.items]
    if name != "Fn::GetAtt":
        return ""
    if not parts:
        parts = str(argument.value).split(".", 1)
    return parts[0] if parts[1:] == ["Arn"] else ""
