"""Every variable that the product reads stands in .env.example, which is generated from the settings' declarations."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from local_runtime.settings import PROJECT_ROOT

SOURCES = [
    path
    for room in ("shared", "local_runtime", "functions", "infra")
    for path in sorted((PROJECT_ROOT / room).rglob("*.py"))
    if "clients" not in path.parts and "examples" not in path.parts
]
DECLARED = set(re.findall(r"^# ([A-Z][A-Z0-9_]*)=", (PROJECT_ROOT / "infra" / ".env.example").read_text(), re.MULTILINE))
# Not ours to declare: the shell's, the terminal's, and what Lambda and AWS's tools give every program.
OF_OTHERS = re.compile(r"PATH|TERM|NO_COLOR|AWS_[A-Z_]+")
# What one process of an instance tells another, and nobody else.
BETWEEN_PROCESSES = {"SCOREBOARD_LISTEN_FD", "SCOREBOARD_MANIFEST", "SCOREBOARD_MANAGEMENT_FD", "SCOREBOARD_LOG_FILE"}
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
ENVIRONMENTS = re.compile(r"os\.environ|(\w+\.)*_?environment")


def variables_read(source: str) -> Iterator[str]:
    """Names of variables that a module reads, as far as they are written there."""
    tree = ast.parse(source)
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        for name in _asked_for(node):
            if isinstance(name, ast.Constant) and isinstance(name.value, str) and VARIABLE.fullmatch(name.value):
                yield name.value
            elif isinstance(name, ast.Name) and name.id in constants:
                yield constants[name.id]


def _asked_for(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Subscript():
            if ENVIRONMENTS.fullmatch(ast.unparse(node.value)):
                yield node.slice
        case ast.Compare(ops=[ast.In() | ast.NotIn()]):
            if ENVIRONMENTS.fullmatch(ast.unparse(node.comparators[0])):
                yield node.left
        case ast.Call(args=[first, *rest]):
            function = ast.unparse(node.func)
            owner, _, method = function.rpartition(".")
            if function == "os.getenv" or (method in {"get", "pop", "setdefault"} and ENVIRONMENTS.fullmatch(owner)):
                yield first
            elif ENVIRONMENTS.fullmatch(ast.unparse(first)):
                yield from rest  # a helper that is given the environment, and what to read of it


def test_what_is_read_is_declared() -> None:
    read = {
        (name, str(path.relative_to(PROJECT_ROOT)))
        for path in SOURCES
        for name in variables_read(path.read_text(encoding="utf-8"))
        if not OF_OTHERS.fullmatch(name) and name not in BETWEEN_PROCESSES
    }
    assert {name for name, _ in read} >= {"LOG_LEVEL", "SECURITY_CONTACT"}, "the sources are looked at"
    assert {(name, path) for name, path in read if name not in DECLARED} == set(), (
        "declare it (CONTRIBUTING.md), then `make format`"
    )


@pytest.mark.parametrize(
    "source",
    [
        'os.environ["A_NAME"]',
        'os.environ.get("A_NAME", "")',
        'os.getenv("A_NAME")',
        '"A_NAME" in os.environ',
        'environment.get("A_NAME")',
        'self._environment["A_NAME"]',
        '_seconds(environment, "A_NAME", 3)',
        'NAME = "A_NAME"\nos.environ.get(NAME)',
    ],
)
def test_every_way_to_read_a_variable_is_seen(source: str) -> None:
    assert list(variables_read(source)) == ["A_NAME"]


def test_no_setting_is_declared_twice() -> None:
    names = re.findall(r"^# ([A-Z][A-Z0-9_]*)=", (PROJECT_ROOT / "infra" / ".env.example").read_text(), re.MULTILINE)
    assert len(names) == len(set(names))
