"""What `pip install .` brings is enough to run, from any directory, without what only the tests' tools need."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
import sysconfig
import tomllib
import venv
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.api import Api
from tests.support.product import ROOT, Product

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the product as a package, links to what it requires, and nothing else."""
    place, source = tmp_path_factory.mktemp("installation"), tmp_path_factory.mktemp("source") / "scoreboard"
    venv.create(place, with_pip=False, symlinks=True)
    python = place / "bin" / "python"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "tests", "__pycache__", "build", "*.egg-info"))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(source), str(source)], check=True)
    [wheel] = source.glob("*.whl")
    subprocess.run([*pip, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)], check=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(place), "platbase": str(place)}))
    for found in runtime_distributions().values():
        for name in {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}:
            if not (packages / name).exists():
                (packages / name).symlink_to(Path(str(found.locate_file(name))))
    return python


def runtime_distributions() -> dict[str, Distribution]:
    """The dependencies of pyproject.toml, and theirs, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    waiting = [Requirement(text) for text in project["dependencies"]]
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement = waiting.pop()
        for extra in ("", *sorted(requirement.extras)):
            name = canonicalize_name(requirement.name)
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            try:
                found[name] = distribution(name)
            except PackageNotFoundError:
                raise AssertionError(f"{name} is not installed: run `make setup`") from None
            for text in found[name].requires or ():
                needed = Requirement(text)
                if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                    waiting.append(needed)
    return found


def test_the_environment_holds_no_tool_of_the_tests(python: Path) -> None:
    names = runtime_distributions()
    assert {"gevent", "redis", "rich"} <= set(names)
    assert not {"pytest", "mypy", "moto", "jsonschema"} & set(names)
    assert python.resolve() == Path(sys.executable).resolve()


def test_the_command_and_the_module_are_the_same_program(python: Path, tmp_path: Path) -> None:
    ways = ([str(python.with_name("scoreboard"))], [str(python), "-m", "local_runtime"])
    version, module_version = (
        subprocess.run([*way, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout for way in ways
    )
    assert version == module_version == f"scoreboard {distribution_version()}\n"


def distribution_version() -> str:
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return version


@pytest.mark.parametrize("options", [(), ("--tls",)], ids=["default", "TLS"])
def test_it_starts_with_what_the_package_brings(python: Path, options: tuple[str, ...], tmp_path: Path) -> None:
    product = Product(None, *options)
    product.python, product.root = python, tmp_path
    with product:
        assert product.runtime["base_url"].startswith("http")
        assert product.verb("simulate", "--players", "2", "--seconds", "1").returncode == 0
        assert product.verb("doctor").returncode == 0
        api = Api(product.base_url, ssl.create_default_context(cafile=product.runtime["ca_file"] or None))
        for path in ("/", "/assets/app.js", "/assets/scoreboard.js"):
            assert api.get(path).status == 200, path
