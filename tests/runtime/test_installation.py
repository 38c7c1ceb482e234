"""What `pip install '.[runtime]'` brings is enough to run: nothing is found here that only the tests' tools need."""

from __future__ import annotations

import sys
import sysconfig
import tomllib
import venv
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.product import ROOT, Product

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds those distributions, linked to, and no other."""
    place = tmp_path_factory.mktemp("installation")
    venv.create(place, with_pip=False, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(place), "platbase": str(place)}))
    for found in runtime_distributions().values():
        for name in {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}:
            if not (packages / name).exists():
                (packages / name).symlink_to(Path(str(found.locate_file(name))))
    return place / "bin" / "python"


def runtime_distributions() -> dict[str, Distribution]:
    """The dependencies of pyproject.toml with the extra `runtime`, and theirs, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    waiting = [Requirement(text) for text in (*project["dependencies"], *project["optional-dependencies"]["runtime"])]
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


@pytest.mark.parametrize("options", [(), ("--tls",)], ids=["default", "TLS"])
def test_it_starts_with_what_the_extra_runtime_brings(python: Path, options: tuple[str, ...]) -> None:
    product = Product(None, *options)
    product.python = python
    with product:
        assert product.runtime["base_url"].startswith("http")
        assert product.verb("simulate", "--players", "2", "--seconds", "1").returncode == 0
        assert product.verb("doctor").returncode == 0
