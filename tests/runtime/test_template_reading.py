"""What the reader makes of a template that can be hosted."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_runtime.hosting.load import KEPT, encoded, kept_manifest, load_manifest
from local_runtime.hosting.manifest import Manifest
from local_runtime.hosting.template import TemplateProblems, read_template
from local_runtime.instance.environment import with_provided_names
from local_runtime.instance.servers.certificates import write_private
from local_runtime.settings import DEFAULT_TEMPLATE, PROJECT_ROOT, InstanceSettings

HEAD = """\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Name: {Type: String, Default: world}
  Flag: {Type: String, Default: "false", AllowedValues: ["true", "false"]}
  Subnets: {Type: CommaDelimitedList, Default: ""}
  Url: {Type: String}
Conditions:
  IsOn: !Equals [!Ref Flag, "true"]
  InVpc: !Not [!Equals [!Join ["", !Ref Subnets], ""]]
  Both: !And [!Condition IsOn, !Condition InVpc]
  Either: !Or [!Condition IsOn, !Condition InVpc]
"""
FUNCTION = """\
Resources:
  SayHello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: say_hello/
      Handler: handler.lambda_handler
      Runtime: python3.11
"""


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two functions and a package."""
    directory = tmp_path_factory.mktemp("project")
    for name in ("say_hello", "say_goodbye"):
        (directory / name).mkdir()
        (directory / name / "handler.py").write_text("from json import dumps as lambda_handler\n")
    (directory / "layer" / "python" / "package").mkdir(parents=True)
    (directory / "package").mkdir()
    (directory / "package" / "__init__.py").write_text("")
    return directory


def read(project: Path, text: str, parameters: dict[str, str] | None = None, provided: tuple[str, ...] = ()) -> Manifest:
    template = project / "template.yaml"
    template.write_text(text)
    return read_template(template, parameters or {}, provided)


def variable(project: Path, value: str, **parameters: str) -> str:
    text = HEAD + FUNCTION + f"      Environment:\n        Variables:\n          VALUE: {value}\n"
    return read(project, text, parameters).functions[0].environment["VALUE"]


def test_a_function_has_lambdas_defaults(project: Path) -> None:
    (function,) = read(project, HEAD + FUNCTION).functions
    assert (function.name, function.logical_id, function.directory) == ("say_hello", "SayHello", project / "say_hello")
    assert (function.timeout_seconds, function.memory_mb, function.invoke_at_start) == (3, 128, False)


@pytest.mark.parametrize(
    ("value", "parameters", "expected"),
    [
        ("plain", {}, "plain"),
        ("12", {}, "12"),
        ("true", {}, "true"),
        ("2024-01-31", {}, "2024-01-31"),
        ("!Ref Name", {}, "world"),
        ("!Ref Name", {"Name": "you"}, "you"),
        ("!Ref Name", {"Name": ""}, "world"),
        ("{Ref: Name}", {}, "world"),
        ("!Sub 'hello ${Name}, ${!Name}'", {}, "hello world, ${Name}"),
        ("!Sub ['${Greeting} ${Name}', {Greeting: hello}]", {}, "hello world"),
        ("!Join ['-', [a, !Ref Name]]", {}, "a-world"),
        ("!Join [',', !Ref Subnets]", {"Subnets": "a, b"}, "a,b"),
        ("!Select [1, [a, !Ref Name]]", {}, "world"),
        ("!Select [2, !Split [':', 'a:b:c:d']]", {}, "c"),
        ("!Join ['/', !Split ['.', 'a.b']]", {}, "a/b"),
        ("!If [IsOn, yes-it-is, no-it-is-not]", {}, "no-it-is-not"),
        ("!If [IsOn, yes-it-is, no-it-is-not]", {"Flag": "true"}, "yes-it-is"),
        ("!If [IsOn, yes-it-is, no-it-is-not]", {"Flag": "Yes"}, "yes-it-is"),
        ("!If [IsOn, yes-it-is, no-it-is-not]", {"Flag": "0"}, "no-it-is-not"),
        ("!If [Both, a, b]", {"Flag": "true"}, "b"),
        ("!If [Both, a, b]", {"Flag": "true", "Subnets": "a"}, "a"),
        ("!If [Either, a, b]", {"Subnets": "a"}, "a"),
        ("!If [IsOn, !Ref Url, !Ref Name]", {}, "world"),
    ],
)
def test_values_are_worked_out(project: Path, value: str, parameters: dict[str, str], expected: str) -> None:
    assert variable(project, value, **parameters) == expected


def test_a_provided_variable_may_be_anything(project: Path) -> None:
    text = HEAD + FUNCTION + "      Environment: {Variables: {URL: !Ref Url, HERE: !Ref AWS::Region}}\n"
    assert read(project, text, provided=("URL", "HERE")).functions[0].environment == {}
    assert read(project, text, {"Url": "redis://x"}, provided=("URL", "HERE")).functions[0].environment == {"URL": "redis://x"}


def test_a_variable_of_one_function_may_differ_where_the_instance_provides_it(project: Path) -> None:
    again = FUNCTION.removeprefix("Resources:\n").replace("SayHello", "SayGoodbye").replace("say_hello", "say_goodbye")
    first, second = (f"      Environment: {{Variables: {{URL: {url}}}}}\n" for url in ("a", "b"))
    assert read(project, HEAD + FUNCTION + first + again + second, provided=("URL",)).functions
    with pytest.raises(TemplateProblems, match="one value here and another in SayHello"):
        read(project, HEAD + FUNCTION + first + again + second)


def test_globals_are_merged_into_each_function(project: Path) -> None:
    defaults = "Globals: {Function: {Timeout: 7, Environment: {Variables: {AA: one, BB: two}}, Layers: [!Ref One]}}\n"
    layers = "  One: {Type: 'AWS::Serverless::LayerVersion', Properties: {ContentUri: layer}}\n"
    layers += "  Two: {Type: 'AWS::Serverless::LayerVersion', Properties: {ContentUri: package}}\n"
    own = "      Layers: [!Ref Two]\n      Environment: {Variables: {BB: 2, CC: 3}}\n"
    manifest = read(project, HEAD + defaults + FUNCTION + own + layers)
    assert manifest.functions[0].environment == {"AA": "one", "BB": "2", "CC": "3"}
    assert manifest.functions[0].timeout_seconds == 7
    assert manifest.layers == (project / "layer" / "python", project)


def test_what_a_condition_leaves_out_is_not_hosted(project: Path) -> None:
    conditional = FUNCTION.replace("    Properties:", "    Condition: IsOn\n    Properties:", 1)
    assert read(project, HEAD + conditional).functions == ()
    assert len(read(project, HEAD + conditional, {"Flag": "true"}).functions) == 1


def test_no_value_leaves_a_property_out(project: Path) -> None:
    text = HEAD + FUNCTION + "      Timeout: !If [IsOn, 9, !Ref AWS::NoValue]\n"
    assert read(project, text).functions[0].timeout_seconds == 3
    assert read(project, text, {"Flag": "true"}).functions[0].timeout_seconds == 9


def event(kind: str, properties: str) -> str:
    return FUNCTION + f"      Events: {{It: {{Type: {kind}, Properties: {properties}}}}}\n"


def test_a_queue_without_a_window_waits_as_long_as_lambda_does(project: Path) -> None:
    access = "SourceAccessConfigurations: [{Type: BASIC_AUTH, URI: x}, {Type: VIRTUAL_HOST, URI: /v}]"
    (binding,) = read(project, HEAD + event("MQ", f"{{Broker: b, Queues: [q], {access}}}")).queue_bindings
    assert (binding.queue, binding.virtual_host, binding.batch_size, binding.batching_window_seconds) == ("q", "/v", 100, 0.5)


def test_a_queue_that_is_not_enabled_is_not_consumed(project: Path) -> None:
    access = "SourceAccessConfigurations: [{Type: BASIC_AUTH, URI: x}]"
    text = HEAD + event("MQ", f"{{Broker: b, Queues: [q], Enabled: !If [IsOn, true, false], {access}}}")
    assert read(project, text).queue_bindings == ()
    assert len(read(project, text, {"Flag": "true"}).queue_bindings) == 1


def test_a_schedule_has_schedulers_defaults(project: Path) -> None:
    (schedule,) = read(project, HEAD + event("ScheduleV2", "{ScheduleExpression: rate(5 minutes)}")).schedules
    assert (schedule.name, schedule.time_zone) == ("SayHelloIt", "UTC")
    assert (schedule.maximum_retry_attempts, schedule.maximum_event_age_seconds) == (185, 86400)
    assert (schedule.input or {})["source"] == "aws.scheduler"


def test_a_rule_without_input_has_none(project: Path) -> None:
    (schedule,) = read(project, HEAD + event("Schedule", "{Schedule: 'cron(0 4 * * ? *)', Name: daily}")).schedules
    assert (schedule.name, schedule.input) == ("daily", None)


def test_routes_for_any_method_come_last(project: Path) -> None:
    events = "      Events:\n" + "".join(
        f"        E{number}: {{Type: HttpApi, Properties: {{Method: {method}, Path: /a}}}}\n"
        for number, method in enumerate(("any", "get", "PUT"))
    )
    assert [route.key for route in read(project, HEAD + FUNCTION + events).http_routes] == ["GET /a", "PUT /a", "ANY /a"]


def test_a_websocket_api_is_read(project: Path) -> None:
    api = "  Sockets: {Type: 'AWS::Serverless::WebSocketApi', Properties: {StageName: !Ref Name, "
    api += "RouteSelectionExpression: '${request.body.type}', Routes: {$connect: {FunctionArn: !GetAtt SayHello.Arn}}}}\n"
    found = read(project, HEAD + FUNCTION + api).websocket_api
    assert found is not None
    assert (found.stage, found.route_selection_expression) == ("world", "${request.body.type}")
    assert [(route.route_key, route.function.name) for route in found.routes] == [("$connect", "say_hello")]


def test_a_websocket_route_may_lead_to_a_functions_alias(project: Path) -> None:
    function = FUNCTION + "      AutoPublishAlias: live\n"
    api = "  Sockets: {Type: 'AWS::Serverless::WebSocketApi', Properties: {RouteSelectionExpression: $request.body.action, "
    api += "Routes: {$connect: {FunctionArn: !Ref SayHello.Alias}}}}\n"
    found = read(project, HEAD + function + api).websocket_api
    assert found is not None
    assert [(route.route_key, route.function.name) for route in found.routes] == [("$connect", "say_hello")]


def test_what_the_supervisor_has_read_its_processes_need_not_read_again(tmp_path: Path) -> None:
    manifest = load_manifest(InstanceSettings(), with_provided_names({"CORS_ALLOWED_ORIGINS": "https://a.example"}))
    assert all((manifest.schedules, manifest.queue_bindings, manifest.websocket_api))
    kept = tmp_path / "manifest"
    write_private(kept, encoded(manifest))
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept_manifest(InstanceSettings(template=tmp_path / "none.yaml"), {KEPT: str(kept)}) == manifest


def test_nobody_but_its_processes_believes_what_a_supervisor_has_kept(tmp_path: Path) -> None:
    (tmp_path / "manifest").write_text("nonsense")
    environment = with_provided_names({KEPT: str(tmp_path / "manifest")})
    assert load_manifest(InstanceSettings(), environment).functions
    (tmp_path / "manifest").unlink()
    assert kept_manifest(InstanceSettings(), environment) == load_manifest(InstanceSettings(), environment)


def test_the_manifest_is_frozen(project: Path) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        read(project, HEAD + FUNCTION).functions = ()  # type: ignore[misc]


LOADER, DUMPER = getattr(yaml, "CSafeLoader", yaml.SafeLoader), getattr(yaml, "CSafeDumper", yaml.SafeDumper)
REAL_TEMPLATE = DEFAULT_TEMPLATE.read_text(encoding="utf-8")


def _places(node: yaml.Node) -> list[tuple[yaml.MappingNode | yaml.SequenceNode, int]]:
    children = [value for _, value in node.value] if isinstance(node, yaml.MappingNode) else node.value
    here = [(node, index) for index in range(len(children))] if isinstance(node, yaml.CollectionNode) else []
    deeper = [place for child in children for place in _places(child)] if isinstance(node, yaml.CollectionNode) else []
    return here + deeper  # type: ignore[return-value]


ANYTHING = ["", "x", "5", "null", "[]", "{}", "[a, b]", "{a: b}", "{a: 1, a: 2}", "!Ref X"]
ANYTHING += ["!Sub [a, b]", "!GetAtt {a: b}", "!If [a]", "!Join x", "!Ref [a]", "!Equals [{}, []]"]
ANYTHING += ["!Select [a]", "!Split x", "!Select [9, [a]]", "!Ref X.Alias"]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_stands_anywhere_the_answer_is_a_manifest_or_a_report(project: Path, data: Any) -> None:
    root = yaml.compose(REAL_TEMPLATE, LOADER) or yaml.MappingNode("", [])
    places = _places(root)
    collection, index = places[data.draw(st.integers(0, len(places) - 1))]
    replacement = yaml.compose(data.draw(st.sampled_from(ANYTHING))) or yaml.ScalarNode("tag:yaml.org,2002:null", "")
    if isinstance(collection, yaml.MappingNode):
        collection.value[index] = (collection.value[index][0], replacement)
    else:
        collection.value[index] = replacement
    try:
        read(project, str(yaml.serialize(root, Dumper=DUMPER)).replace("../", f"{PROJECT_ROOT}/"))
    except TemplateProblems as error:
        report = error.problems
    else:
        return
    assert report
