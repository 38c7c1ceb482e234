"""The examples run as they stand, and so does what the clients' documents show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.driven import NODE
from tests.support.product import ROOT, Product
from tests.support.waiting import eventually

EXAMPLES, CLIENTS = ROOT / "infra" / "examples", ROOT / "infra" / "clients"
PROGRAMS = {"play.sh": "bash", "play.py": sys.executable, "play.mjs": str(NODE)}
LANGUAGES = {"python": (".py", sys.executable), "javascript": (".mjs", str(NODE))}
ON_THE_README = "http://127.0.0.1:8080"


def run(*command: str | Path, directory: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=directory, env={**os.environ, **environment}, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def points(product: Product, prefix: str) -> list[int]:
    """The scores that the ledger has of players with such names."""
    sql = """SELECT sum(increment) FROM score_history JOIN users ON users.user_id = score_history.user_id
             WHERE username LIKE :name GROUP BY username"""
    return [int(row[0]) for row in product.query(sql, name=f"{prefix}-%")]


@pytest.mark.parametrize(("name", "prefix"), [("play.sh", "curl"), ("play.py", "python"), ("play.mjs", "node")])
def test_an_example_runs_to_its_end_and_its_points_count_once(product: Product, name: str, prefix: str) -> None:
    said = run(PROGRAMS[name], EXAMPLES / name, BASE=product.base_url)
    assert said.rstrip().endswith("done"), said
    eventually(lambda: points(product, prefix) == [7], 20, "5 and 2 are recorded, once")


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("play.*")} == set(PROGRAMS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_program_in_a_clients_document_runs(product: Product, tmp_path: Path, language: str) -> None:
    text = (CLIENTS / language / "README.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```(?:js|python)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert ON_THE_README in program
    for path in (CLIENTS / language).glob("scoreboard*"):
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    suffix, interpreter = LANGUAGES[language]
    if language == "javascript":
        (tmp_path / "package.json").write_text('{"type": "module"}')
    file = tmp_path / f"program{suffix}"
    file.write_text(program.replace(ON_THE_README, product.base_url), encoding="utf-8")
    said = run(interpreter, file, directory=tmp_path)
    assert re.search(r"\b5\b", said), said


def test_every_file_the_documents_link_to_exists() -> None:
    for document in [*EXAMPLES.glob("*.md"), *CLIENTS.glob("*/README.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
