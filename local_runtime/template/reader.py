"""From the file to the manifest: load, check every reference, read every resource, raise all problems together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from local_runtime.manifest import Cors, Manifest
from local_runtime.template.environment import check_agreement
from local_runtime.template.events import Triggers
from local_runtime.template.fields import Reading
from local_runtime.template.functions import read_function
from local_runtime.template.http_api import check_apis, read_http_api
from local_runtime.template.intrinsics import Resolver
from local_runtime.template.layers import read_layer
from local_runtime.template.loader import load_template
from local_runtime.template.parameters import Parameters, read_parameters
from local_runtime.template.problems import Report, TemplateProblems
from local_runtime.template.references import ReferenceCheck
from local_runtime.template.resources import FUNCTION, HTTP_API, LAYER, WEBSOCKET_API, Resource, read_resources
from local_runtime.template.sections import check_outputs, check_sections, read_globals, section
from local_runtime.template.tree import Node
from local_runtime.template.websocket_api import read_websocket_api


def read_template(path: Path, parameters: Mapping[str, str], provided: Collection[str]) -> Manifest:
    """What the template asks to be hosted. Raises TemplateProblems with everything that stands in the way.

    `parameters` are values by the names of the section Parameters (others are of no interest; an empty one does not beat a
    default). `provided` names the variables the instance gives its functions, whose values need not be known here.
    """
    report = Report()
    template = load_template(path, report)
    if not template.members:
        raise TemplateProblems(path, report.problems)
    check_sections(template, report)
    values = read_parameters(section(template, "Parameters"), parameters, report)
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
