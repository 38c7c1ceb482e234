"""The sections of a template, and what each may hold."""

from __future__ import annotations

from local_runtime.template.fields import Fields, Reading
from local_runtime.template.functions import IN_GLOBALS
from local_runtime.template.problems import Report
from local_runtime.template.references import ReferenceCheck
from local_runtime.template.tree import Node

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
