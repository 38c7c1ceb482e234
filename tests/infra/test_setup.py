"""The set-up: nothing to do when all is there, and plain words when something is missing and cannot be installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SETUP = ROOT / "infra" / "setup.sh"
TOOLS = ("bash", "cat", "dirname", "flock", "id", "python3", "mktemp", "rm", "tail")


def set_up(path: str, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": path}
    return subprocess.run(
        ["/bin/bash", str(SETUP), *options], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def path_with(directory: Path, *tools: str) -> str:
    for tool in tools:
        found = os.path.realpath(sys.executable) if tool == "python3" else shutil.which(tool)
        assert found, tool
        (directory / tool).symlink_to(found)
    return str(directory)


def test_a_machine_that_has_everything_is_left_alone() -> None:
    for options in (("--for-tests",), ("--to-run",), ()):
        done = set_up(os.environ["PATH"], *options)
        assert (done.returncode, done.stderr.replace("setup: waiting for another set-up to end\n", "")) == (0, "")


def test_what_is_missing_is_named_where_nothing_can_install_it(tmp_path: Path) -> None:
    done = set_up(path_with(tmp_path, *TOOLS))
    assert done.returncode == 1
    assert "redis-server" in done.stderr
    assert "neither apt-get nor brew" in done.stderr


def test_without_the_rights_to_install_the_command_is_shown(tmp_path: Path) -> None:
    path = path_with(tmp_path, *(tool for tool in TOOLS if tool != "id"))
    for name, script in {"id": "echo 1000", "apt-get": "exit 1"}.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / name).chmod(0o755)
    done = set_up(path)
    assert done.returncode == 1
    assert "apt-get install --no-install-recommends redis-server" in done.stderr


def test_a_linked_environment_is_never_emptied(tmp_path: Path) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    (project / "infra").mkdir(parents=True)
    elsewhere.mkdir()
    (elsewhere / "marker").touch()
    (project / ".venv").symlink_to(elsewhere)
    shutil.copy(SETUP, project / "infra")
    for name in ("requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, project)
    command = ["/bin/bash", str(project / "infra" / "setup.sh")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert ".venv is a link" in done.stderr
    assert (elsewhere / "marker").exists()


@pytest.mark.parametrize("option", ["--no-such-option", "for-tests"])
def test_an_unknown_option_is_bad_usage(option: str) -> None:
    assert set_up(os.environ["PATH"], option).returncode == 2
