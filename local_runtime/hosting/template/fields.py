"""The members of a mapping, each to be asked for; what nobody asked for is reported as not supported."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_runtime.hosting.template.intrinsics import Resolver, Unresolved, text_of
from local_runtime.hosting.template.tree import Node, Report


@dataclass(frozen=True, slots=True)
class Reading:
    """What every rule needs: where to report, how to resolve, what there is.

    `directory` is the template's, from which its paths count. `provided` are the variables that the instance supplies.
    """

    report: Report
    resolver: Resolver
    directory: Path
    provided: frozenset[str]
    resources: Mapping[str, Node]

    def value(self, node: Node) -> Any:
        """The plain value; None, and a problem, when it cannot be known here."""
        try:
            return self.resolver.resolve(node)
        except Unresolved as error:
            if not self.report.mentions(node):
                self.report.add(node, f"cannot be worked out on this machine: {error}")
            return None


class Fields:
    """Reads a mapping member by member and reports everything about it that does not fit."""

    def __init__(self, node: Node, reading: Reading, what: str) -> None:
        self._node = node
        self._reading = reading
        self._what = what
        self._asked: set[str] = set()
        if not isinstance(node.value, dict):
            self.report(node, f"is no {what}: a mapping is wanted")

    def report(self, node: Node, message: str, supported: str = "") -> None:
        """Note a problem."""
        self._reading.report.add(node, message, supported)

    def node(self, name: str, *, required: bool = False) -> Node | None:
        """The member as it stands, conditions followed; None when it is not there."""
        self._asked.add(name)
        found = self._node.members.get(name)
        try:
            node = self._reading.resolver.expand(found)
        except Unresolved as error:
            self.report(found or self._node, f"cannot be worked out on this machine: {error}")
            return None
        if node is None and required:
            self.report(self._node, f"{name} is missing")
        return node

    def value(self, name: str, *, required: bool = False) -> Any:
        """The member's plain value; None when it is not there or cannot be known."""
        node = self.node(name, required=required)
        return None if node is None else self._reading.value(node)

    def text(self, name: str, *, required: bool = False) -> str | None:
        """The member as text."""
        value = self.value(name, required=required)
        if value is None or isinstance(value, str | int | float):
            return None if value is None else text_of(value)
        self.report(self._node.members[name], "is no text")
        return None

    def integer(self, name: str, low: int, high: int, default: int) -> int:
        """The member as a whole number within its limits, also where it is written as text."""
        value = self.value(name)
        if value is None:
            return default
        if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]{1,9}", str(value)) or not low <= int(value) <= high:
            self.report(self._node.members[name], f"is {value!r}", f"whole numbers from {low} to {high}")
            return default
        return int(value)

    def fields(self, name: str, what: str) -> Fields | None:
        """The member as a mapping of its own."""
        node = self.node(name)
        return None if node is None else Fields(node, self._reading, what)

    def only(self, name: str, allowed: Collection[str], default: str) -> str:
        """The member as one of few values."""
        value = self.text(name)
        if value is None:
            return default
        if value not in allowed:
            self.report(self._node.members[name], f"is {value!r}", ", ".join(allowed))
            return default
        return value

    def without_effect(self, names: Collection[str]) -> None:
        """Members that are right, but mean something only in the cloud."""
        self._asked |= set(names)

    def finish(self) -> None:
        """Report the members nobody asked for."""
        for name, node in self._node.members.items():
            if name not in self._asked:
                self.report(node, f"is not supported in a {self._what}", ", ".join(sorted(self._asked)))
