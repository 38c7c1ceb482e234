"""What no linter finds in the translated template: each rule yields what is wrong, one line each."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

from infra.checks.template.stack import Stack, as_list
from infra.sam import Sam

PROTOCOLS = ("HTTP", "WEBSOCKET")
# An HTTP API waits 30 s for its function, a WebSocket API 29.
MAX_HTTP_SECONDS, MAX_WEBSOCKET_SECONDS = 30, 29
# IAM takes no narrower resource for these; they are what a network interface in a VPC needs.
NOT_NARROWABLE = frozenset(
    f"ec2:{action}"
    for action in (
        "CreateNetworkInterface",
        "DeleteNetworkInterface",
        "DescribeNetworkInterfaces",
        "DescribeSecurityGroups",
        "DescribeSubnets",
        "DescribeVpcs",
    )
)
POST_TO_VIEWERS, READ_SECRET = "execute-api:ManageConnections", "secretsmanager:GetSecretValue"
SECRET = "ScoreboardSecretId"  # noqa: S105 - a parameter's name


def apis_are_of_a_known_kind(stack: Stack, sam: Sam) -> Iterator[str]:
    """API Gateway takes other values at creation only, when the rest of the stack stands already."""
    for name, api in stack.resources("AWS::ApiGatewayV2::Api").items():
        protocol = api.get("ProtocolType", "HTTP" if "Body" in api else None)
        if protocol not in PROTOCOLS:
            yield f"{name}: ProtocolType is {protocol!r}, not one of {', '.join(PROTOCOLS)}"
        if protocol == "WEBSOCKET" and not str(api.get("RouteSelectionExpression", "")).startswith("$request.body."):
            yield f"{name}: RouteSelectionExpression does not select by a member of the message"
    for name, integration in stack.resources("AWS::ApiGatewayV2::Integration").items():
        if integration.get("IntegrationType") != "AWS_PROXY":
            yield f"{name}: IntegrationType is {integration.get('IntegrationType')!r}, and only AWS_PROXY calls a function"


def routes_may_call_their_functions(stack: Stack, sam: Sam) -> Iterator[str]:
    """Each route leads to an alias, which permits API Gateway to invoke it."""
    permitted = {
        stack.function_behind(permission["FunctionName"])
        for permission in stack.resources("AWS::Lambda::Permission").values()
        if permission.get("Principal") == "apigateway.amazonaws.com" and permission.get("Action") == "lambda:InvokeFunction"
    }
    for route, target, limit in _routes(stack):
        function = stack.function_behind(target)
        if function is None:
            yield f"{route}: does not lead to a function's alias"
            continue
        if function not in permitted:
            yield f"{route}: API Gateway may not invoke {function}: there is no AWS::Lambda::Permission"
        timeout = stack.functions[function].get("Timeout", 3)
        if timeout > limit:
            yield f"{route}: {function} may take {timeout} s, and the API waits {limit}"


def _routes(stack: Stack) -> Iterator[tuple[str, Any, int]]:
    for api in stack.resources("AWS::ApiGatewayV2::Api").values():
        for path, methods in api.get("Body", {}).get("paths", {}).items():
            for method, operation in methods.items():
                uri = operation.get("x-amazon-apigateway-integration", {}).get("uri")
                yield f"{method.upper()} {path}", uri, MAX_HTTP_SECONDS
    integrations = stack.resources("AWS::ApiGatewayV2::Integration")
    for route in stack.resources("AWS::ApiGatewayV2::Route").values():
        name = next((each for each in integrations if f"'{each}'" in str(route.get("Target"))), "")
        yield route["RouteKey"], integrations.get(name, {}).get("IntegrationUri"), MAX_WEBSOCKET_SECONDS


def queues_have_a_login_and_a_name(stack: Stack, sam: Sam) -> Iterator[str]:
    """What Lambda asks for when the mapping is made, and what CloudFormation does not."""
    for name, mapping in stack.resources("AWS::Lambda::EventSourceMapping").items():
        if len(mapping.get("Queues", [])) != 1:
            yield f"{name}: Queues does not name exactly one queue"
        if "BASIC_AUTH" not in [access.get("Type") for access in mapping.get("SourceAccessConfigurations", [])]:
            yield f"{name}: SourceAccessConfigurations has no BASIC_AUTH"
        if stack.function_behind(mapping.get("FunctionName")) is None:
            yield f"{name}: does not lead to a function's alias"


def schedules_are_tried_again_as_they_say(stack: Stack, sam: Sam) -> Iterator[str]:
    """Lambda has retries of its own for what a schedule invokes: two and six hours, if nobody says otherwise."""
    configs = {config["FunctionName"]["Ref"]: config for config in stack.resources("AWS::Lambda::EventInvokeConfig").values()}
    for name, schedule in stack.resources("AWS::Scheduler::Schedule").items():
        target = schedule["Target"]
        policy, function = target.get("RetryPolicy"), stack.function_behind(target["Arn"])
        if "Name" in schedule:
            yield f"{name}: has a Name, which a second stack of the account could not have; OmitName"
        if function is None:
            yield f"{name}: does not lead to a function's alias"
            continue
        config = {key: value for key, value in configs.get(function, {}).items() if key in (policy or {})}
        if policy is None or config != policy:
            yield f"{name}: RetryPolicy is {policy}, and {function}'s EventInvokeConfig says {config or 'nothing'}"


def nothing_leads_past_the_alias(stack: Stack, sam: Sam) -> Iterator[str]:
    """What invokes a function by itself would be served by code that nobody has tried out."""
    for name, permission in stack.resources("AWS::Lambda::Permission").items():
        if stack.function_behind(permission["FunctionName"]) is None:
            yield f"{name}: permits to invoke what is no alias"
    for name, resource in stack.document["Resources"].items():
        past = {function for function in stack.functions if f"'Fn::GetAtt': ['{function}', 'Arn']" in str(resource)}
        yield from (f"{name}: leads to {function} past its alias" for function in sorted(past))


def policies_are_narrow(stack: Stack, sam: Sam) -> Iterator[str]:
    """No action and no resource by wildcard, but for what cannot be narrowed."""
    for function in stack.functions:
        for statement in stack.policies(function):
            actions = as_list(statement["Action"])
            yield from (f"{function}: may do {action}" for action in actions if "*" in action)
            if "*" in as_list(statement["Resource"]) and not NOT_NARROWABLE.issuperset(actions):
                yield f"{function}: may do {', '.join(sorted(set(actions) - NOT_NARROWABLE))} to everything"


def secrets_and_viewers_are_for_those_who_need_them(stack: Stack, sam: Sam) -> Iterator[str]:
    """A function that is wired reads the secret, no other; one that is told where to post to viewers may do so, no other."""
    for function in sam.functions:
        name, properties = function.logical_id, stack.functions[function.logical_id]
        statements = list(stack.policies(name))
        reads = any(READ_SECRET in as_list(each["Action"]) and SECRET in str(each["Resource"]) for each in statements)
        handler = function.directory / f"{properties['Handler'].partition('.')[0]}.py"
        if reads != _imports(handler.read_text(encoding="utf-8"), "shared.container"):
            yield f"{name}: {'may read the secret and does not' if reads else 'reads the secret and may not'}"
        posts = any(POST_TO_VIEWERS in as_list(each["Action"]) for each in statements)
        if posts != ("WEBSOCKET_MANAGEMENT_URL" in properties["Environment"]["Variables"]):
            yield f"{name}: {'may post to viewers and does not' if posts else 'posts to viewers and may not'}"


def _imports(source: str, module: str) -> bool:
    return any(isinstance(node, ast.ImportFrom) and node.module == module for node in ast.walk(ast.parse(source)))


RULES: tuple[Callable[[Stack, Sam], Iterator[str]], ...] = (
    apis_are_of_a_known_kind,
    routes_may_call_their_functions,
    queues_have_a_login_and_a_name,
    schedules_are_tried_again_as_they_say,
    nothing_leads_past_the_alias,
    policies_are_narrow,
    secrets_and_viewers_are_for_those_who_need_them,
)
