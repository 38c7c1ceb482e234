"""The set-up of this very directory, and of one whose environment is a link."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SETUP = ROOT / "infra" / "setup.sh"


def set_up(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["/bin/bash", str(SETUP), *options], capture_output=True, text=True, timeout=60, check=False)


def test_a_machine_that_has_everything_is_left_alone() -> None:
    for options in (("--for-tests",), ("--to-run",), ()):
        done = set_up(*options)
        assert (done.returncode, done.stderr.replace("setup: waiting for another set-up to end\n", "")) == (0, "")


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
    assert set_up(option).returncode == 2
