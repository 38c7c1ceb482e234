"""The clients as their users get them: packed, installed in an empty place, and run with the programs that the documents show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.clients.driven import NODE
from tests.support.product import ROOT, Product

pytestmark = pytest.mark.xdist_group("product")  # the packages are made once
CLIENTS = ROOT / "infra" / "clients"
JAVASCRIPT, PYTHON = CLIENTS / "javascript", CLIENTS / "python"
TSC = JAVASCRIPT / "node_modules" / "typescript" / "bin" / "tsc"
ON_THE_PAGE = "http://127.0.0.1:8080"
NPM = ("npm", "--offline", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")


def run(*command: str | Path, directory: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=directory, env={**os.environ, **environment}, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def programs(document: Path, language: str, product: Product) -> list[str]:
    """Those a document shows, for the running product."""
    found = re.findall(rf"^```{language}\n(.*?)^```", document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert found
    assert all(ON_THE_PAGE in program for program in found)
    return [program.replace(ON_THE_PAGE, product.base_url) for program in found]


@pytest.fixture(scope="module")
def node_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty directory with the JavaScript client in it."""
    project = tmp_path_factory.mktemp("node")
    run(*NPM, "pack", "--pack-destination", project, directory=JAVASCRIPT)
    (tarball,) = project.glob("*.tgz")
    (project / "package.json").write_text("{}")
    run(*NPM, "install", tarball, directory=project)
    return project


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the Python client; what it depends on is this one's, so nothing is fetched."""
    directory = tmp_path_factory.mktemp("python")
    venv.create(directory / "venv")
    interpreter = directory / "venv" / "bin" / "python"
    (site_packages,) = (directory / "venv").glob("lib/python*/site-packages")
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    source = directory / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "scoreboard_client"):
        (source / name).symlink_to(PYTHON / name)
    run(*PIP, "wheel", "--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", directory, source, directory=directory)
    (wheel,) = directory.glob("*.whl")
    run(interpreter, *PIP[1:], "install", "--no-index", wheel, directory=directory)
    return interpreter


def test_the_javascript_package_holds_what_it_needs_and_no_more(node_project: Path) -> None:
    files = {path.name for path in (node_project / "node_modules" / "scoreboard-client").iterdir()}
    code = {f"scoreboard.{ending}" for ending in ("js", "cjs", "d.ts", "d.cts")}
    assert files == {"README.md", "package.json", *code}


@pytest.mark.parametrize("document", [ROOT / "docs" / "clients.md", JAVASCRIPT / "README.md"], ids=["page", "README"])
def test_a_program_of_the_documents_runs_with_the_javascript_package(
    product: Product, node_project: Path, document: Path
) -> None:
    for program in programs(document, "js", product):
        (node_project / "program.mjs").write_text(program, encoding="utf-8")
        assert re.search(r"\b5\b", run(NODE, "program.mjs", directory=node_project))


def test_the_javascript_package_is_required_by_the_node_that_is_here(product: Product, node_project: Path) -> None:
    program = f"""
        const {{ Scoreboard, ScoreboardError, newKey }} = require("scoreboard-client");
        (async () => {{
            const scoreboard = new Scoreboard("{product.base_url}");
            const name = "required-" + newKey().slice(0, 8);
            await scoreboard.register(name, "correct horse battery");
            await scoreboard.logIn(name, "correct horse battery");
            const refused = await scoreboard.addPoints(6).catch((error) => error);
            const ended = new AbortController();
            const receipt = await scoreboard.addPoints(5, {{ signal: ended.signal }});
            console.log(refused instanceof ScoreboardError, refused.status, receipt.score);
        }})();"""
    assert run("node", "-e", program, directory=node_project) == "true 422 5\n"


def test_the_javascript_package_is_typed(node_project: Path, tmp_path: Path) -> None:
    """What is packed is what JSDoc says, and a strict program that uses it all compiles as a module of either kind."""
    run(NODE, TSC, "--project", JAVASCRIPT, "--outDir", tmp_path, directory=JAVASCRIPT)
    made = (tmp_path / "scoreboard.d.ts").read_text(encoding="utf-8")
    assert made == (JAVASCRIPT / "scoreboard.d.ts").read_text(encoding="utf-8"), "npm run types, in infra/clients/javascript"
    typed = (ROOT / "tests" / "clients" / "typed.ts").read_text(encoding="utf-8")
    for name in ("typed.mts", "typed.cts"):
        (node_project / name).write_text(typed, encoding="utf-8")
        run(
            NODE,
            TSC,
            "--strict",
            "--noEmit",
            "--module",
            "nodenext",
            "--types",
            "",
            "--lib",
            "es2022,dom",
            name,
            directory=node_project,
        )


@pytest.mark.parametrize("document", [ROOT / "docs" / "clients.md", PYTHON / "README.md"], ids=["page", "README"])
def test_a_program_of_the_documents_runs_with_the_python_package(product: Product, python: Path, document: Path) -> None:
    for program in programs(document, "python", product):
        assert re.search(r"\b5\b", run(python, "-I", "-c", program, directory=python.parent))


def test_the_python_package_is_typed_and_not_that_of_the_checkout(python: Path) -> None:
    place = run(python, "-I", "-c", "import scoreboard_client; print(scoreboard_client.__file__)", directory=python.parent)
    package = Path(place.strip()).parent
    assert package.is_relative_to(python.parent.parent)
    assert (package / "py.typed").exists()
