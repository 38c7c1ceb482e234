"""AWS::Serverless::HttpApi and HttpApi events: the routes, and that each request has exactly one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from local_runtime.manifest import Cors, Function, HttpRoute
from local_runtime.template.cors import read_cors
from local_runtime.template.fields import Fields, Reading
from local_runtime.template.resources import HTTP_API, Resource
from local_runtime.template.tree import Node

MAX_TIMEOUT_SECONDS = 30
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY")
_LITERAL = re.compile(r"[A-Za-z0-9._~!$&'()*,;=:@%-]+")
_PARAMETER = re.compile(r"\{([A-Za-z0-9._:-]+)(\+?)\}")
_WITHOUT_EFFECT = frozenset(
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


def read_http_api(resource: Resource, reading: Reading) -> Cors:
    """The API itself: authorizers and own definitions are not hosted, and therefore refused."""
    fields = Fields(resource.properties, reading, "HTTP API")
    # A named stage would stand at the front of every path.
    fields.only("StageName", ("$default",), "$default")
    cors = read_cors(fields, reading)
    fields.without_effect(_WITHOUT_EFFECT)
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
    if function.timeout_seconds > MAX_TIMEOUT_SECONDS:
        limit = f"an HTTP API waits {MAX_TIMEOUT_SECONDS} s"
        message = f"{limit}, but {function.logical_id} has a Timeout of {function.timeout_seconds}"
        reading.report.add(event, message, f"Timeout up to {MAX_TIMEOUT_SECONDS}")
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
    segments = path.split("/")
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
