"""The template as a tree in which every node knows its path and line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


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
