"""What is wrong with a template: collected, then raised all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local_runtime.template.tree import Node

_SECTIONS_OF_NAMES = ("Resources", "Parameters", "Conditions", "Outputs")


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
