"""From the file to the manifest: load, check every reference, read every resource, raise all problems together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from local_runtime.hosting.manifest import Cors, Manifest
from local_runtime.hosting.template.apis import check_apis, read_http_api, read_websocket_api
from local_runtime.hosting.template.events import Triggers
from local_runtime.hosting.template.fields import Fields, Reading
from local_runtime.hosting.template.functions import IN_GLOBALS, check_agreement, read_function, read_layer
from local_runtime.hosting.template.intrinsics import Parameters, Resolver, read_parameters
from local_runtime.hosting.template.references import ReferenceCheck
from local_runtime.hosting.template.resources import FUNCTION, HTTP_API, LAYER, WEBSOCKET_API, Resource, read_resources
from local_runtime.hosting.template.tree import Node, RefusedParameters, Report, TemplateProblems, load_template

_SECTIONS = ("AWSTemplateFormatVersion", "Transform", "Description", "Metadata", "Parameters", "Conditions", "Globals")
SECTIONS = (*_SECTIONS, "Resources", "Outputs")
_VERSION = "2010-09-09"
_TRANSFORM = "AWS::Serverless-2016-10-31"


def check_sections(template: Node, report: Report) -> None:
    """No section but the known ones, and that this is a SAM template."""
    for name in template.members.keys() - set(SECTIONS):
        report.add(template.members[name], "this section is not supported", ", ".join(SECTIONS))
    version, transform = template.members.get("AWSTemplateFormatVersion"), template.members.get("Transform")
    if version is not None and version.value != _VERSION:
        report.add(version, f"is {version.value!r}", _VERSION)
    if transform is None or transform.value != _TRANSFORM:
        found = "is missing" if transform is None else f"is {transform.value!r}"
        report.add(transform or Node(None, ("Transform",)), found, _TRANSFORM)
    if not section(template, "Resources").members:
        report.add(Node(None, ("Resources",)), "there are none")
    for name in ("Parameters", "Conditions", "Globals", "Resources", "Outputs"):
        if name in template.members and not isinstance(template.members[name].value, dict):
            report.add(template.members[name], "is no mapping")


def section(template: Node, name: str) -> Node:
    """A section, empty when it is not there."""
    return template.members.get(name, Node({}, (name,)))


def read_globals(template: Node, reading: Reading) -> Node:
    """Globals.Function, the defaults of all functions; the only kind of Globals there is here."""
    for name, node in section(template, "Globals").members.items():
        if name != "Function":
            reading.report.add(node, "is not supported in Globals", "Function")
    function = section(template, "Globals").members.get("Function", Node({}, ("Globals", "Function")))
    fields = Fields(function, reading, "Globals.Function")
    fields.without_effect(IN_GLOBALS)
    fields.finish()
    return function


def check_outputs(template: Node, reading: Reading, references: ReferenceCheck) -> None:
    """Outputs have a value."""
    for node in section(template, "Outputs").members.values():
        fields = Fields(node, reading, "Output")
        fields.without_effect(("Description", "Export", "Condition"))
        if "Condition" in node.members:
            references.condition(node.members["Condition"])
        if "Value" not in node.members:
            reading.report.add(node, "Value is missing")
        fields.without_effect(("Value",))
        fields.finish()


def read_template(path: Path, parameters: Mapping[str, str], provided: Collection[str]) -> Manifest:
    """What the template asks to be hosted. Raises TemplateProblems with everything that stands in the way, or
    RefusedParameters with the values that stand in it.

    `parameters` are values by the names of the section Parameters (others are of no interest; an empty one does not beat a
    default). `provided` names the variables the instance gives its functions, whose values need not be known here.
    """
    report = Report()
    template = load_template(path, report)
    if not template.members:
        raise TemplateProblems(path, report.problems)
    check_sections(template, report)
    values = read_parameters(section(template, "Parameters"), parameters, report)
    if values.refused:
        raise RefusedParameters(path, report.problems, values.refused)
    conditions = section(template, "Conditions").members
    resources = section(template, "Resources").members
    reading = Reading(report, Resolver(values, conditions), path.resolve().parent, frozenset(provided), resources)
    references = _check_references(template, values, reading)
    manifest = _read(template, reading, references)
    if report.problems:
        raise TemplateProblems(path, report.problems)
    return manifest


def _check_references(template: Node, parameters: Parameters, reading: Reading) -> ReferenceCheck:
    conditions = section(template, "Conditions").members
    declared = [*parameters.values, *parameters.missing]
    references = ReferenceCheck(declared, reading.resources, conditions, reading.report)
    # Conditions are worked out before there are resources.
    early = ReferenceCheck(declared, {}, conditions, reading.report)
    for node in conditions.values():
        early.walk_condition(node)
    for name in ("Globals", "Resources", "Outputs"):
        references.walk(section(template, name))
    return references


def _read(template: Node, reading: Reading, references: ReferenceCheck) -> Manifest:
    defaults = read_globals(template, reading)
    check_outputs(template, reading, references)
    by_kind: dict[str, list[Resource]] = {}
    for resource in read_resources(reading, references):
        by_kind.setdefault(resource.kind, []).append(resource)
    http_apis, websocket_apis = by_kind.get(HTTP_API, []), by_kind.get(WEBSOCKET_API, [])
    cors = [read_http_api(api, reading) for api in http_apis]
    check_apis(http_apis, reading, "HTTP API")
    check_apis(websocket_apis, reading, "WebSocket API")
    layers = [read_layer(resource, reading) for resource in by_kind.get(LAYER, [])]
    declared = [read_function(resource, defaults, reading) for resource in by_kind.get(FUNCTION, [])]
    functions = tuple(each.function for each in declared)
    check_agreement(functions, reading)
    triggers = Triggers()
    for each in declared:
        triggers.read(each.function, each.events, reading)
    triggers.check(reading)
    by_id = {function.logical_id: function for function in functions}
    sockets = [read_websocket_api(api, by_id, reading) for api in websocket_apis]
    return Manifest(
        functions=functions,
        layers=tuple(dict.fromkeys(layer for layer in layers if layer)),
        http_routes=triggers.ordered_routes,
        queue_bindings=tuple(binding for binding, _ in triggers.queues),
        schedules=tuple(schedule for schedule, _ in triggers.schedules),
        websocket_api=sockets[0] if sockets else None,
        cors=cors[0] if cors else Cors(),
    )
