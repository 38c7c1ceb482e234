"""What import-linter cannot see: functions are loaded by path, so their rules are read from their source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
HANDLERS = sorted((ROOT / "functions").glob("*/handler.py"))
MAY_IMPORT = ("shared.container", "shared.services", "shared.transport", "shared.domain", "shared.core.errors")
STANDARD = (
    "__future__",
    "collections",
    "datetime",
    "typing",
    "pathlib",
    "json",
    "functools",
    "dataclasses",
    "secrets",
    "random",
    "os",
)


def imported(source: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a handler is a top-level module on Lambda: no relative imports"
            names.add(node.module or "")
    return names


def test_there_are_functions() -> None:
    assert len(HANDLERS) >= 15


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.parent.name)
def test_a_function_imports_only_use_cases_transport_and_wiring(path: Path) -> None:
    for name in imported(path.read_text()):
        assert name.startswith(MAY_IMPORT) or name.partition(".")[0] in STANDARD, f"{path.parent.name} imports {name}"


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.parent.name)
def test_a_function_is_small_enough_to_read_at_a_glance(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 60
    assert "def lambda_handler(" in path.read_text()


def test_every_function_directory_has_a_handler() -> None:
    directories = [path for path in (ROOT / "functions").iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert sorted(path.parent for path in HANDLERS) == sorted(directories)


def test_no_package_of_the_layer_or_the_functions_imports_the_runtime() -> None:
    for path in [*(ROOT / "shared").rglob("*.py"), *HANDLERS]:
        forbidden = {"flask", "gevent", "gunicorn", "local_runtime"}
        assert not forbidden & {name.partition(".")[0] for name in imported(path.read_text())}, path
