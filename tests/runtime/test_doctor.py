"""The doctor tells what is there and what is not."""

from __future__ import annotations

import io
from pathlib import Path

from local_runtime.doctor import doctor, report
from local_runtime.services.programs import REDIS, Program


def test_a_machine_that_was_set_up_lacks_nothing(tmp_path: Path) -> None:
    out = io.StringIO()
    assert doctor(out, tmp_path) == 0
    assert "everything is there" in out.getvalue()
    assert "7." in out.getvalue()


def test_a_missing_program_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    out = io.StringIO()
    assert doctor(out, tmp_path, lambda program: None if program is REDIS else program.find()) == 1
    lines = out.getvalue().splitlines()
    assert any(line.startswith("MISS  redis-server") for line in lines)
    assert any("redis" in line and "install" in line for line in lines if "to get it" in line)


def test_an_old_python_is_named(tmp_path: Path) -> None:
    finding = report(tmp_path, Program.find, (3, 10, 1))[0]
    assert not finding.ok


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not report(tmp_path / "file" / "data")[-1].ok
