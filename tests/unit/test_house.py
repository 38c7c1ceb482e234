"""What import-linter cannot see: functions are loaded by path, so their rules are read from their source."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
HANDLERS = sorted((ROOT / "functions").glob("*/handler.py"))
SUBJECTS = ("accounts", "ledger", "boards", "viewers", "reconciliation", "audit", "operations")
# A module of a subject that knows a store has its name, or that of a service of AWS.
STORES = ("redis", "postgresql", "rabbitmq")
KNOW_A_STORE = {"viewers/api_gateway", "viewers/management_api", "viewers/appsync"}
CLIENTS = {"redis", "hiredis", "pika", "pg8000", "boto3", "botocore"}
MAY_IMPORT = {
    "shared.container",
    "shared.container.admin",
    "shared.core.booleans",
    "shared.core.errors",
    "shared.core.ids",
    "shared.stores.actor",
    "shared.stores.answer_once",
    "shared.stores.idempotency",
}
ADAPTERS = tuple(f"shared.stores.{name}" for name in (*STORES, "aws", "keys"))
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
    """What it imports when it runs: what is imported for a type checker alone costs no cold start."""
    names: set[str] = set()
    nodes: list[ast.AST] = [ast.parse(source)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        nodes.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a handler is a top-level module on Lambda: no relative imports"
            names.add(node.module or "")
    return names


def test_there_are_functions() -> None:
    assert len(HANDLERS) >= 15


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.parent.name)
def test_a_function_imports_only_use_cases_transport_and_the_container(path: Path) -> None:
    use_cases = {f"shared.{name.replace('/', '.')}" for name in modules() if not knows_a_store(name)}
    for name in imported(path.read_text()):
        may = name in use_cases | MAY_IMPORT or name.startswith("shared.transport.") or name.partition(".")[0] in STANDARD
        assert may, f"{path.parent.name} imports {name}"


@cache
def modules() -> dict[str, set[str]]:
    """What each module of a subject imports, by its path below the layer."""
    layer = ROOT / "shared"
    found = [path for subject in SUBJECTS for path in (layer / subject).glob("*.py")]
    return {str(path.relative_to(layer).with_suffix("")): imported(path.read_text()) for path in found}


def knows_a_store(name: str) -> bool:
    return name in KNOW_A_STORE or name.rpartition("/")[2].rpartition("_")[2] in STORES


def test_a_module_that_knows_a_store_says_so_in_its_name() -> None:
    for name, imports in modules().items():
        clients = {one for one in imports if one.partition(".")[0] in CLIENTS or one.startswith(ADAPTERS)}
        assert bool(clients) == knows_a_store(name), f"{name}: {clients}"


def test_a_use_case_names_what_knows_a_store_only_as_a_type() -> None:
    know = {f"shared.{name.replace('/', '.')}" for name in modules() if knows_a_store(name)}
    for name, imports in modules().items():
        assert knows_a_store(name) or not imports & know, f"{name} imports {imports & know}"


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.parent.name)
def test_what_is_for_admins_is_for_nobody_else(path: Path) -> None:
    source = path.read_text()
    first = source.partition("\n")[0]
    assert ("/api/admin/" in first or "; for admins" in first) == ("@admin_handler(" in source)


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.parent.name)
def test_a_function_knows_the_query_parameters_that_it_describes(path: Path) -> None:
    described = path.with_name("openapi.yaml")
    operations = yaml.safe_load(described.read_text()).values() if described.exists() else ()
    shared = yaml.safe_load((ROOT / "infra" / "documents" / "openapi_base.yaml").read_text())["components"]["parameters"]
    given = [one for operation in operations for one in operation.get("parameters", ())]
    parameters = [shared[one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in given]
    known = re.search(r"query=\(([^)]*)\)", path.read_text())
    names = re.findall(r'"(\w+)"', known[1]) if known else []
    assert names == [one["name"] for one in parameters if one["in"] == "query"]


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
