"""The translated template as the rules look at it: resources by type, and which function something leads to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_SUBSTITUTED = re.compile(r"\$\{(\w+?)Alias\w+\}")


@dataclass(frozen=True, slots=True)
class Stack:
    """What CloudFormation is given."""

    document: dict[str, Any]

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """Properties of the resources of a type, by logical id."""
        resources = self.document["Resources"].items()
        return {name: each.get("Properties", {}) for name, each in resources if each["Type"] == kind}

    @property
    def functions(self) -> dict[str, dict[str, Any]]:
        return self.resources("AWS::Lambda::Function")

    def function_behind(self, target: object) -> str | None:
        """The logical id of the function whose alias this leads to; None when it leads past the aliases, or nowhere."""
        names = set(_SUBSTITUTED.findall(str(target)))
        for alias, properties in self.resources("AWS::Lambda::Alias").items():
            if any(reference == alias for reference in _references(target)):
                names.add(str(properties["FunctionName"]["Ref"]))
        return names.pop() if len(names) == 1 else None

    def policies(self, function: str) -> Iterator[dict[str, Any]]:
        """Every statement of a function's own role, under whatever condition, and of managed policies of this template."""
        role = self.document["Resources"][self.functions[function]["Role"]["Fn::GetAtt"][0]]["Properties"]
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield from (each for each in statement.get("Fn::If", [statement]) if isinstance(each, dict) and "Ref" not in each)
        for arn in role.get("ManagedPolicyArns", []):
            name = arn.get("Ref") if isinstance(arn, dict) else None
            managed = self.resources("AWS::IAM::ManagedPolicy").get(str(name))
            yield from managed["PolicyDocument"]["Statement"] if managed else ()


def as_list(value: Any) -> list[Any]:
    """IAM's way of writing one of something."""
    return value if isinstance(value, list) else [value]


def _references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("Ref"), str):
            yield node["Ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)
