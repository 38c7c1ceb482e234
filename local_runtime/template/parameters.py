"""The Parameters section: the value of each, from outside or its default, checked against its rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local_runtime.template.problems import Report
from local_runtime.template.tree import Node

_RULES = frozenset(
    (
        "Type",
        "Default",
        "Description",
        "NoEcho",
        "ConstraintDescription",
        "AllowedValues",
        "AllowedPattern",
        "MinLength",
        "MaxLength",
        "MinValue",
        "MaxValue",
    )
)
_LISTS = re.compile(r"CommaDelimitedList|List<.+>")
# Of the cloud's own types only the form is known here: one text, or several.
_TYPES = re.compile(r"String|Number|CommaDelimitedList|List<Number>|AWS::[A-Za-z0-9:]+|List<AWS::[A-Za-z0-9:]+>")


@dataclass(frozen=True, slots=True)
class Parameters:
    """`values` of those that have one; `missing` are declared, but nobody gave them a value."""

    values: Mapping[str, str | list[str]] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()

    def __contains__(self, name: object) -> bool:
        return name in self.values or name in self.missing


def read_parameters(section: Node | None, given: Mapping[str, str], report: Report) -> Parameters:
    """An empty value given for a parameter with a default counts as not given."""
    values: dict[str, str | list[str]] = {}
    missing: set[str] = set()
    for name, node in section.members.items() if section else ():
        _check_declaration(node, report)
        text = given.get(name) or _text(node.members.get("Default"))
        if text is None:
            missing.add(name)
            continue
        kind = str(_plain(node, "Type"))
        parts = [part.strip() for part in text.split(",") if part.strip()] if _LISTS.fullmatch(kind) else None
        for each in [text] if parts is None else parts:  # what a list holds is held to the rules one by one
            for message in _broken_rules(node, kind, each, report):
                report.add(node, message)
        values[name] = text if parts is None else parts
    return Parameters(values, frozenset(missing))


def _check_declaration(node: Node, report: Report) -> None:
    for name in node.members.keys() - _RULES:
        report.add(node.members[name], "is no property of a parameter", ", ".join(sorted(_RULES)))
    kind = _plain(node, "Type")
    if not isinstance(kind, str) or not _TYPES.fullmatch(kind):
        report.add(node, f"has no usable Type: {kind!r}", "String, Number, CommaDelimitedList, List<Number>, AWS::...")


def _broken_rules(node: Node, kind: str, text: str, report: Report) -> list[str]:
    shown = "its value" if _text(node.members.get("NoEcho")) == "true" else repr(text)
    hint = _plain(node, "ConstraintDescription")
    suffix = f" ({hint})" if hint else ""
    broken = []
    allowed = [_text(item) for item in node.members.get("AllowedValues", Node([])).items]
    if allowed and text not in allowed:
        broken.append(f"{shown} is none of the AllowedValues {', '.join(map(str, allowed))}{suffix}")
    pattern = _plain(node, "AllowedPattern")
    if pattern is not None:
        broken += _broken_pattern(node, str(pattern), text, f"{shown} does not match AllowedPattern {pattern}{suffix}", report)
    number = _number(text)
    if kind == "Number" and number is None:
        return [*broken, f"{shown} is not a number{suffix}"]
    limits: list[tuple[str, float | None, Callable[[float, float], bool]]] = [
        ("MinLength", len(text), lambda length, limit: length >= limit),
        ("MaxLength", len(text), lambda length, limit: length <= limit),
        ("MinValue", number, lambda value, limit: value >= limit),
        ("MaxValue", number, lambda value, limit: value <= limit),
    ]
    for rule, measured, holds in limits:
        limit = _number(_text(node.members.get(rule)) or "")
        if limit is not None and (measured is None or not holds(measured, limit)):
            broken.append(f"{shown} is outside {rule} {limit:g}{suffix}")
    return broken


def _broken_pattern(node: Node, pattern: str, text: str, message: str, report: Report) -> list[str]:
    try:
        return [] if re.fullmatch(pattern, text) else [message]
    except re.error as error:
        report.add(node.members["AllowedPattern"], f"is no regular expression: {error}")
        return []


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _plain(node: Node, name: str) -> Any:
    member = node.members.get(name)
    return member.value if member else None


def _text(node: Node | None) -> str | None:
    if node is None or node.value is None:
        return None
    return str(node.value).lower() if isinstance(node.value, bool) else str(node.value)
