"""YAML to tree: safe, with CloudFormation's short forms, without duplicate keys, aliases and merges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from local_runtime.template.problems import Report
from local_runtime.template.tree import Node

# The one in C is ten times as fast, where the installation has it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STANDARD = "tag:yaml.org,2002:"
_SCALARS = frozenset(_STANDARD + name for name in ("str", "int", "float", "bool", "null"))
# CloudFormation knows no dates: `2010-09-09` is a text.
_TEXT_AFTER_ALL = frozenset((_STANDARD + "timestamp", _STANDARD + "value"))


def load_template(path: Path, report: Report) -> Node:
    """The tree of the file; what cannot be read at all is reported and left out."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), _LOADER)
    except OSError as error:
        report.add(Node(None), f"cannot be read: {error.strerror}")
        return Node({})
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        report.add(Node(None), f"is no YAML: {' '.join(str(error).split())}")
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
