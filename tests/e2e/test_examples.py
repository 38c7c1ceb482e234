"""The examples run as they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.driven import NODE
from tests.support.product import ROOT, Product
from tests.support.waiting import eventually

EXAMPLES = ROOT / "infra" / "examples"
PROGRAMS = {"play.sh": "bash", "play.py": sys.executable, "play.mjs": str(NODE)}


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
    eventually(lambda: points(product, prefix) == [7], 60, "5 and 2 are recorded, once")


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("play.*")} == set(PROGRAMS)


def test_every_file_the_documents_link_to_exists() -> None:
    documents = [*EXAMPLES.glob("*.md"), *ROOT.glob("infra/clients/*/README.md"), ROOT / "docs" / "clients.md"]
    for document in documents:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


@pytest.mark.parametrize("file", ["godot/scoreboard.gd", "unity/Scoreboard.cs"])
def test_a_client_that_is_not_run_asks_for_what_there_is(file: str) -> None:
    described = json.loads((ROOT / "functions" / "get_openapi" / "openapi.json").read_text(encoding="utf-8"))["paths"]
    asked = set(re.findall(r'"(/api/[a-z/-]+)', (ROOT / "infra" / "clients" / file).read_text(encoding="utf-8")))
    assert {"/api/users", "/api/tokens", "/api/score/", "/api/scores"} <= asked
    for path in asked:
        assert path in described or f"{path}{{user_id}}" in described, path
