"""What is installed is pinned with hashes and is what the project asks for; what looks like a secret is found."""

from __future__ import annotations

import base64
import re
import secrets
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.checks.secret_scan import files_to_scan, scan, unknown

ROOT = Path(__file__).resolve().parent.parent.parent
OF_ALL = ("infra/package/layer-requirements.txt", "infra/package/runtime-requirements.txt")  # parts of requirements.txt
LOCKED = (*OF_ALL, "requirements.txt", "tests/benchmarks/peers/requirements.txt", "infra/kubernetes/helm-requirements.txt")
_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?:\s*;[^#]*?)?(?P<hashes>(?:\s+--hash=sha256:[0-9a-f]{64})+)")


def locked_lines(name: str) -> list[str]:
    """The logical lines of a lock file."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


@pytest.mark.parametrize("name", LOCKED)
def test_every_requirement_is_pinned_to_one_version_with_its_hashes(name: str) -> None:
    lines = locked_lines(name)
    assert lines
    assert [line[:60] for line in lines if not _PIN.fullmatch(line.strip())] == []


@pytest.mark.parametrize("name", OF_ALL)
def test_what_runs_and_what_is_deployed_is_what_is_tested(name: str) -> None:
    def pins(lines: list[str]) -> set[str]:
        return {line.split(" ")[0] for line in lines}

    assert pins(locked_lines(name)) <= pins(locked_lines("requirements.txt"))


def test_what_is_pinned_is_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = [Requirement(text) for group in (project["dependencies"], *extras) for text in group]
    found = [match for line in locked_lines("requirements.txt") if (match := _PIN.fullmatch(line.strip()))]
    pinned = {canonicalize_name(match["name"]): match["version"] for match in found}
    missing = [str(each) for each in wanted if canonicalize_name(each.name) not in pinned]
    outside = [str(each) for each in wanted if pinned.get(canonicalize_name(each.name), "0") not in each.specifier]
    assert (missing, outside) == ([], [])


def test_a_secret_that_somebody_commits_is_found(tmp_path: Path) -> None:
    planted = {
        "settings.py": f'PAYLOAD_KEYS = "k1:{base64.b64encode(secrets.token_bytes(32)).decode()}"\n',
        "deploy.sh": "export AWS_KEY=AKIA" + "Q" * 8 + "WXYZ2345\n",
        ".env": f"PAYLOAD_KEYS=k1:{base64.b64encode(secrets.token_bytes(32)).decode()}\n",
        "key.pem": "-----BEGIN " + "PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n",
        "innocent.py": "NAME = 'scoreboard'\n",
    }
    for name, content in planted.items():
        (tmp_path / name).write_text(content)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    findings, places = scan(files_to_scan(tmp_path), tmp_path)
    assert sorted(unknown(findings, {})) == [".env", "deploy.sh", "key.pem", "settings.py"]
    assert any(place.startswith("settings.py:1: ") for place in places)
    assert unknown(findings, findings) == [], "what was looked at is not reported again"
    assert unknown(findings, {**findings, "key.pem": []}) == ["key.pem"]


def test_without_git_everything_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    for name in ("a.py", ".env", ".venv/b.py"):
        (tmp_path / name).touch()
    assert sorted(path.name for path in files_to_scan(tmp_path)) == [".env", "a.py"]
