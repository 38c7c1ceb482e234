"""A template as a tree, read from YAML: every node knows its path and line, and what is wrong is collected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

_SECTIONS_OF_NAMES = ("Resources", "Parameters", "Conditions", "Outputs")
# The one in C is ten times as fast, where the installation has it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STANDARD = "tag:yaml.org,2002:"
_SCALARS = frozenset(_STANDARD + name for name in ("str", "int", "float", "bool", "null"))
# CloudFormation knows no dates: `2010-09-09` is a text.
_TEXT_AFTER_ALL = frozenset((_STANDARD + "timestamp", _STANDARD + "value"))


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A scalar, a list of nodes or a mapping of names to nodes.

    Short forms are spelled out: `!Sub x` is `{"Fn::Sub": x}`, and stands where its mapping stands.
    """

    value: Any
    path: tuple[str, ...] = ()
    line: int = 0

    @property
    def members(self) -> dict[str, Node]:
        """The members of a mapping; nothing for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Node]:
        """The items of a list; nothing for anything else."""
        return self.value if isinstance(self.value, list) else []

    def member(self, name: str) -> Node:
        """A member, or an empty node at its place."""
        return self.members.get(name) or Node(None, (*self.path, name), self.line)

    @property
    def text(self) -> str:
        """The text of a scalar; nothing for anything else."""
        return "" if self.value is None or isinstance(self.value, dict | list) else str(self.value)

    def intrinsic(self) -> tuple[str, Node] | None:
        """The function this node calls and its argument; None when it is a plain value."""
        if len(self.members) != 1:
            return None
        name, argument = next(iter(self.members.items()))
        return (name, argument) if name == "Ref" or name.startswith("Fn::") else None

    def merged(self, other: Node) -> Node:
        """SAM's merge of Globals (self) with a function's own: mappings member by member, lists joined, else the function's."""
        if self.intrinsic() or other.intrinsic():
            return other
        if isinstance(self.value, dict) and isinstance(other.value, dict):
            both = {n: self.value[n].merged(o) if n in self.value else o for n, o in other.value.items()}
            return replace(other, value={**self.value, **both})
        if isinstance(self.value, list) and isinstance(other.value, list):
            return replace(other, value=[*self.value, *other.value])
        return other


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to change: whose it is, where it stands, what is wrong, and what would be right (empty where that is clear)."""

    logical_id: str
    where: str
    message: str
    supported: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.logical_id} {self.where}".strip()
        line = f" (line {self.line})" if self.line else ""
        supported = f"; supported: {self.supported}" if self.supported else ""
        return f"{place}{line}: {self.message}{supported}"


class TemplateProblems(ValueError):
    """The template cannot be hosted; the message is the report of every problem."""

    def __init__(self, template: Path, problems: Sequence[Problem]) -> None:
        self.template = template
        self.problems = tuple(problems)
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        report = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"{template} cannot be hosted, {count}:{report}")


class RefusedParameters(TemplateProblems):
    """Values that were given for parameters break their rules; `refused` says what is wanted, by the names of the parameters."""

    def __init__(self, template: Path, problems: Sequence[Problem], refused: Mapping[str, str]) -> None:
        super().__init__(template, problems)
        self.refused = dict(refused)


class Report:
    """Collects problems in the order of the template, each once."""

    def __init__(self) -> None:
        self._problems: dict[Problem, None] = {}
        self._paths: set[tuple[str, ...]] = set()

    def add(self, node: Node, message: str, supported: str = "") -> None:
        """Note what is wrong with a node."""
        self._paths.add(node.path)
        self._problems[problem_at(node.path, node.line, message, supported)] = None

    def mentions(self, node: Node) -> bool:
        """Whether something is already noted at this node or below it."""
        return any(path[: len(node.path)] == node.path for path in self._paths)

    @property
    def problems(self) -> list[Problem]:
        """Everything noted so far."""
        return sorted(self._problems, key=lambda problem: problem.line)


def problem_at(path: Sequence[str], line: int, message: str, supported: str = "") -> Problem:
    """A problem at a path of the template: `("Resources", "GetScores", "Properties", "Queues", "0")`."""
    start = 1 if len(path) > 1 and path[0] in _SECTIONS_OF_NAMES else 0
    logical_id = path[start] if path else "Template"
    return Problem(logical_id, _spell(path[start + 1 :]), message, supported, line)


def _spell(path: Sequence[str]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if part.isdecimal() else f".{part}" if text else part
    return text


def load_template(path: Path, report: Report) -> Node:
    """The tree of the file; what cannot be read at all is reported and left out."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), _LOADER)
    except OSError as error:
        report.add(Node(None), f"cannot be read: {error.strerror}")
        return Node({})
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        report.add(Node(None), f"is not valid YAML: {' '.join(str(error).split())}")
        return Node({})
    tree = Node({}) if root is None else _Converter(report).convert(root, ())
    if not isinstance(tree.value, dict) or not tree.value:
        report.add(Node(None), "is not a mapping of sections", "AWSTemplateFormatVersion, Transform, Resources, ...")
        return Node({})
    return tree


class _Converter:
    def __init__(self, report: Report) -> None:
        self._report = report
        self._scalars = yaml.constructor.SafeConstructor()
        self._seen: set[int] = set()

    def convert(self, node: yaml.Node, path: tuple[str, ...]) -> Node:
        """The node with everything below it."""
        line = node.start_mark.line + 1
        if id(node) in self._seen:
            return self._refuse(path, line, "is a YAML alias, which CloudFormation does not take")
        self._seen.add(id(node))
        if node.tag.startswith("!") and len(node.tag) > 1:
            return self._short_form(node, path, line)
        return Node(self._value(node, path, line), path, line)

    def _short_form(self, node: yaml.Node, path: tuple[str, ...], line: int) -> Node:
        name = node.tag[1:]
        argument = Node(self._value(node, path, line), path, line)
        if name == "GetAtt" and isinstance(argument.value, str):
            parts = argument.value.split(".", 1)
            argument = Node([Node(part, path, line) for part in parts], path, line)
        key = name if name in ("Ref", "Condition") else f"Fn::{name}"
        return Node({key: argument}, path, line)

    def _value(self, node: yaml.Node, path: tuple[str, ...], line: int) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.convert(item, (*path, str(index))) for index, item in enumerate(node.value)]
        if node.tag.startswith("!"):
            return node.value
        if node.tag in _TEXT_AFTER_ALL:
            return str(node.value)
        if node.tag not in _SCALARS:
            return self._refuse(path, line, f"has the YAML tag {node.tag}, which is not supported").value
        return self._scalars.construct_object(node)

    def _mapping(self, node: yaml.MappingNode, path: tuple[str, ...]) -> dict[str, Node]:
        members: dict[str, Node] = {}
        for key, value in node.value:
            name = str(key.value)
            inner = path if name == "Ref" or name.startswith("Fn::") else (*path, name)
            line = key.start_mark.line + 1
            if key.tag == _STANDARD + "merge":
                self._refuse(path, line, "is a YAML merge (<<), which CloudFormation does not take")
            elif name in members:
                self._refuse(inner, line, "stands here a second time")
            else:
                converted = self.convert(value, inner)
                members[name] = Node(converted.value, converted.path, line)
        return members

    def _refuse(self, path: tuple[str, ...], line: int, message: str) -> Node:
        node = Node(None, path, line)
        self._report.add(node, message)
        return node
