"""Parameters, and the intrinsic functions whose value can be known without a cloud."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local_runtime.hosting.template.tree import Node, Report
from shared.core.booleans import boolean

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
FUNCTIONS = (
    *("Ref", "Fn::Sub", "Fn::Join", "Fn::Select", "Fn::Split", "Fn::If", "Fn::GetAtt"),
    *("Fn::Equals", "Fn::Not", "Fn::And", "Fn::Or"),
)
PSEUDO_PARAMETERS = frozenset(
    f"AWS::{name}"
    for name in ("AccountId", "NotificationARNs", "NoValue", "Partition", "Region", "StackId", "StackName", "URLSuffix")
)
SUB_VARIABLE = re.compile(r"\$\{([^!{}][^{}]*)\}")
_SUB_LITERAL = re.compile(r"\$\{!([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Parameters:
    """`values` of those that have one; `missing` are declared, but nobody gave them a value.

    `refused` says of given values that break the rules of their parameter what is wanted.
    """

    values: Mapping[str, str | list[str]] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        return name in self.values or name in self.missing


def read_parameters(section: Node | None, given: Mapping[str, str], report: Report) -> Parameters:
    """An empty value given for a parameter with a default counts as not given."""
    values: dict[str, str | list[str]] = {}
    missing: set[str] = set()
    refused: dict[str, str] = {}
    for name, node in section.members.items() if section else ():
        _check_declaration(node, report)
        text = _as_declared(node, given.get(name, "")) or _text(node.members.get("Default"))
        if text is None:
            missing.add(name)
            continue
        kind = str(_plain(node, "Type"))
        parts = [part.strip() for part in text.split(",") if part.strip()] if _LISTS.fullmatch(kind) else None
        for each in [text] if parts is None else parts:  # what a list holds is held to the rules one by one
            broken = _broken_rules(node, kind, each, report)
            for message in broken:
                report.add(node, message)
            if broken and given.get(name):
                refused.setdefault(name, _wanted(node, each) or broken[0])
        values[name] = text if parts is None else parts
    return Parameters(values, frozenset(missing), refused)


def _as_declared(node: Node, given: str) -> str:
    """A value in the words of the template: whether something is so has more of them in the environment than there."""
    if set(_allowed(node)) != {"true", "false"}:
        return given
    try:
        return "true" if boolean(given) else "false"
    except ValueError:
        return given


def _check_declaration(node: Node, report: Report) -> None:
    for name in node.members.keys() - _RULES:
        report.add(node.members[name], "is no property of a parameter", ", ".join(sorted(_RULES)))
    kind = _plain(node, "Type")
    if not isinstance(kind, str) or not _TYPES.fullmatch(kind):
        report.add(node, f"has no usable Type: {kind!r}", "String, Number, CommaDelimitedList, List<Number>, AWS::...")


def _broken_rules(node: Node, kind: str, text: str, report: Report) -> list[str]:
    shown = _shown(node, text)
    hint = _plain(node, "ConstraintDescription")
    suffix = f" ({hint})" if hint else ""
    broken = []
    allowed = _allowed(node)
    if allowed and text not in allowed:
        broken.append(f"{shown} is none of the AllowedValues {', '.join(allowed)}{suffix}")
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


def _wanted(node: Node, text: str) -> str:
    """Why a value is refused, for those who gave it and have not read the template; "" where the broken rule says it best."""
    hint = _plain(node, "ConstraintDescription")
    if hint:
        return f"{_shown(node, text)} is refused: it {hint}"
    allowed = _allowed(node)
    return f"{_shown(node, text)} is none of {', '.join(allowed)}" if allowed else ""


def _shown(node: Node, text: str) -> str:
    return "its value" if _text(node.members.get("NoEcho")) == "true" else repr(text)


def _allowed(node: Node) -> list[str]:
    return [str(_text(item)) for item in node.members.get("AllowedValues", Node([])).items]


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


class Unresolved(Exception):
    """The value cannot be known here; the message says why."""


class Resolver:
    """Turns nodes into plain values. It trusts that references have been checked; see references.py."""

    def __init__(self, parameters: Parameters, conditions: Mapping[str, Node]) -> None:
        self._parameters = parameters
        self._conditions = conditions
        self._asking: list[str] = []
        self._functions: dict[str, Callable[[Node], Any]] = {
            "Ref": lambda node: self._ref(str(node.value)),
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::GetAtt": _get_att,
        }

    def expand(self, node: Node | None) -> Node | None:
        """Follow Fn::If to the branch that counts; None for AWS::NoValue."""
        while node is not None and (call := node.intrinsic()):
            name, argument = call
            if name == "Ref" and argument.value == "AWS::NoValue":
                return None
            if name != "Fn::If" or len(argument.items) != 3:
                break
            condition, then, otherwise = argument.items
            node = then if self.condition(str(condition.value)) else otherwise
        return node

    def resolve(self, node: Node) -> Any:
        """The value as plain data, without what AWS::NoValue removes. Raises Unresolved."""
        expanded = self.expand(node)
        if expanded is None:
            raise Unresolved("it is AWS::NoValue")
        if call := expanded.intrinsic():
            name, argument = call
            if name not in self._functions:
                raise Unresolved(f"{name} cannot be worked out here")
            return self._functions[name](argument)
        if isinstance(expanded.value, dict):
            pairs = ((name, self.expand(member)) for name, member in expanded.value.items())
            return {name: self.resolve(member) for name, member in pairs if member is not None}
        if isinstance(expanded.value, list):
            return [self.resolve(item) for item in map(self.expand, expanded.value) if item is not None]
        return expanded.value

    def condition(self, name: str) -> bool:
        """Whether a named condition holds. Raises Unresolved."""
        if name in self._asking:
            raise Unresolved(f"the condition {name} asks for itself")
        if name not in self._conditions:
            raise Unresolved(f"there is no condition {name}")
        self._asking.append(name)
        try:
            return self._holds(self._conditions[name])
        finally:
            self._asking.pop()

    def _holds(self, node: Node) -> bool:
        if list(node.members) == ["Condition"]:
            return self.condition(str(node.members["Condition"].value))
        name, argument = node.intrinsic() or ("", node)
        items = argument.items
        if name == "Fn::Equals" and len(items) == 2:
            left, right = (text_of(self.resolve(item)) for item in items)
            return left == right
        if name == "Fn::Not" and len(items) == 1:
            return not self._holds(items[0])
        if name in ("Fn::And", "Fn::Or") and items:
            return (all if name == "Fn::And" else any)([self._holds(item) for item in items])
        raise Unresolved("it is not a condition")

    def _ref(self, name: str) -> str | list[str]:
        if name in self._parameters.values:
            return self._parameters.values[name]
        if name in self._parameters.missing:
            raise Unresolved(f"the parameter {name} has neither a value nor a default")
        raise Unresolved(f"{name} has a value only in the cloud")

    def _sub(self, argument: Node) -> str:
        template, own = argument, dict[str, Node]()
        if len(argument.items) == 2:
            template, own = argument.items[0], argument.items[1].members

        def value(match: re.Match[str]) -> str:
            name = match[1].strip()
            if name in own:
                return text_of(self.resolve(own[name]))
            if "." in name:
                raise Unresolved(f"{name} has a value only in the cloud")
            return text_of(self._ref(name))

        return _SUB_LITERAL.sub(r"${\1}", SUB_VARIABLE.sub(value, str(template.value)))

    def _join(self, argument: Node) -> str:
        if len(argument.items) != 2:
            raise Unresolved("Fn::Join is not of the right form")
        separator, parts = argument.items
        values = self.resolve(parts)
        if not isinstance(values, list):
            raise Unresolved("Fn::Join joins no list")
        return str(separator.value).join(text_of(value) for value in values)

    def _select(self, argument: Node) -> Any:
        if len(argument.items) != 2:
            raise Unresolved("Fn::Select is not of the right form")
        index, values = (self.resolve(item) for item in argument.items)
        if not isinstance(values, list) or not text_of(index).isdecimal() or int(text_of(index)) >= len(values):
            raise Unresolved(f"there is no element {text_of(index)} to select")
        return values[int(text_of(index))]

    def _split(self, argument: Node) -> list[str]:
        if len(argument.items) != 2 or not argument.items[0].text:
            raise Unresolved("Fn::Split is not of the right form")
        return text_of(self.resolve(argument.items[1])).split(argument.items[0].text)


def _get_att(argument: Node) -> str:
    raise Unresolved(f"{'.'.join(str(item.value) for item in argument.items)} has a value only in the cloud")


def text_of(value: object) -> str:
    """A scalar as CloudFormation spells it; lists as it compares them."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(text_of(item) for item in value)
    return "" if value is None else str(value)
