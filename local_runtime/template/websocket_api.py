"""AWS::Serverless::WebSocketApi: its routes and how a message chooses one."""

from __future__ import annotations

import re
from collections.abc import Mapping

from local_runtime.manifest import Function, WebSocketApi, WebSocketRoute
from local_runtime.template.fields import Fields, Reading
from local_runtime.template.references import ALIAS
from local_runtime.template.resources import Resource
from local_runtime.template.tree import Node

MAX_TIMEOUT_SECONDS = 29
SPECIAL_ROUTES = ("$connect", "$disconnect", "$default")
_SELECTION = re.compile(r"\$request\.body(\.[A-Za-z0-9_-]+)+|\$\{request\.body(\.[A-Za-z0-9_-]+)+\}")
_STAGE = re.compile(r"[A-Za-z0-9_-]{1,128}")
_WITHOUT_EFFECT = frozenset(
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


def read_websocket_api(resource: Resource, functions: Mapping[str, Function], reading: Reading) -> WebSocketApi:
    """The API with its routes; what is wrong is reported."""
    fields = Fields(resource.properties, reading, "WebSocket API")
    stage = _checked(fields, "StageName", _STAGE, "default", "letters, digits, _ and -", reading)
    selection = _checked(fields, "RouteSelectionExpression", _SELECTION, "", "$request.body.action", reading, required=True)
    node = fields.node("Routes", required=True)
    fields.without_effect(_WITHOUT_EFFECT)
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
    if function.timeout_seconds > MAX_TIMEOUT_SECONDS:
        limit = f"a WebSocket API waits {MAX_TIMEOUT_SECONDS} s"
        message = f"{limit}, but {function.logical_id} has a Timeout of {function.timeout_seconds}"
        reading.report.add(node, message, f"Timeout up to {MAX_TIMEOUT_SECONDS}")
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
