"""The doctor tells what is there and what is not."""

from __future__ import annotations

import io
from pathlib import Path

from local_runtime.doctor import doctor, report
from local_runtime.services.programs import REDIS, SERVERS, Program


def test_a_machine_that_was_set_up_lacks_nothing(tmp_path: Path) -> None:
    out = io.StringIO()
    assert doctor(out, tmp_path) == 0
    assert "everything is there" in out.getvalue()
    path = REDIS.find()
    line = next(line for line in out.getvalue().splitlines() if "redis-server" in line)
    assert line.endswith(f" at {path}")
    assert any(character.isdigit() for character in line.partition(" at ")[0])


def test_a_missing_program_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    out = io.StringIO()
    assert doctor(out, tmp_path, lambda program: None if program is REDIS else program.find()) == 1
    lines = out.getvalue().splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith("MISS  redis-server"))
    assert lines[at + 1].endswith(f"to get it: make setup, or: {REDIS.install_command()}")
    assert lines[-1] == "1 missing"


def test_a_bare_machine_lacks_every_server(tmp_path: Path) -> None:
    def find(program: Program) -> Path | None:
        return program.find(lambda _: None, tmp_path)

    missing = {finding.name: finding for finding in report(tmp_path, find) if not finding.ok}
    assert set(missing) == {program.name for program in SERVERS}
    assert all(finding.remedy for finding in missing.values())


def test_an_old_python_is_named(tmp_path: Path) -> None:
    finding = report(tmp_path, Program.find, (3, 10, 1))[0]
    assert not finding.ok
    assert "3.11" in finding.remedy


def test_only_root_needs_an_account_to_drop_to(tmp_path: Path) -> None:
    assert any(finding.name == "account postgres" for finding in report(tmp_path, root=True))
    assert not any(finding.name == "account postgres" for finding in report(tmp_path, root=False))


def test_a_data_directory_that_does_not_exist_yet_is_no_fault(tmp_path: Path) -> None:
    assert report(tmp_path / "not" / "yet")[-1].ok
    assert not (tmp_path / "not").exists()


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    finding = report(tmp_path / "file" / "data")[-1]
    assert not finding.ok
    assert "--data-dir" in finding.remedy
