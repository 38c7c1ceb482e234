"""The verb `boards`: what it makes of a file, what it asks, and what it says of mistakes."""

from __future__ import annotations

import os
import pty
import re
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_runtime.cli.main import main
from shared.container import Container
from tests.runtime.verbs import run_verb
from tests.support.product import query

FILE = """\
boards:
  {id}:
    title: Sprints
    order: ascending
    periods:
      - {{name: weekly, cron: 0 0 * * MON, timeZone: Europe/Berlin}}
      - {{name: evening, startsAt: 2026-12-01T18:00:00Z}}
"""


@pytest.fixture
def board_id(deployed: Container) -> Iterator[str]:
    made = f"b{secrets.token_hex(8)}"
    yield made
    query(deployed.settings.migrations_database_url, "UPDATE boards SET deleted_at = now() WHERE board_id = :id", id=made)


def run(data_dir: Path, *arguments: str, stdin: str | int = "") -> subprocess.CompletedProcess[str]:
    return run_verb(data_dir, "boards", *arguments, stdin=stdin)


def test_a_season_is_ended_after_a_question(data_dir: Path, board_id: str, tmp_path: Path) -> None:
    file = tmp_path / "boards.yaml"
    file.write_text(f"boards:\n  {board_id}:\n    periods: [{{name: cup}}, {{name: all_time}}]\n")
    run(data_dir, "apply", str(file), "--yes")
    asked = run(data_dir, "reset", board_id)
    assert (asked.returncode, "--yes" in asked.stderr) == (2, True), asked.stderr
    done = run(data_dir, "reset", board_id, "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{board_id}: season 2 of cup began at 2")
    refused = run(data_dir, "reset", board_id, "--period", "all_time", "--yes")
    assert (refused.returncode, "`all_time` is never reset; `cup` can be" in refused.stderr) == (2, True), refused.stderr
    unknown = run(data_dir, "reset", board_id, "--period", "nope", "--yes")
    assert (unknown.returncode, f"{board_id} has no period `nope`; it has: cup, all_time" in unknown.stderr) == (2, True)
    shown = run(data_dir, "show", board_id).stdout
    assert "# cup: season 2 since" in shown
    assert re.search(r"^# all_time: season 1.*, for good$", shown, re.MULTILINE)


def test_a_file_is_planned_applied_and_shown_again(data_dir: Path, board_id: str, tmp_path: Path) -> None:
    file = tmp_path / "boards.yaml"
    file.write_text(FILE.format(id=board_id))
    planned = run(data_dir, "apply", str(file))
    assert (planned.returncode, "--yes" in planned.stderr) == (2, True), planned.stderr
    assert f'create {board_id}\n  title: "Sprints"\n  order: "ascending"\n' in planned.stdout
    assert board_id not in run(data_dir, "list").stdout
    applied = run(data_dir, "apply", str(file), "--yes")
    assert (applied.returncode, applied.stdout.splitlines()[-1]) == (0, "done"), applied.stderr
    again = run(data_dir, "apply", str(file))
    assert (again.returncode, again.stdout.splitlines()[0]) == (0, f"unchanged {board_id}")
    assert f"{board_id}\tSprints\tascending\tadd\tweekly, evening\tplayer\tno" in run(data_dir, "list").stdout
    shown = run(data_dir, "show", board_id)
    assert "# weekly: season 1 since" in shown.stdout
    same = run(data_dir, "apply", "-", stdin=shown.stdout)
    assert (same.returncode, same.stdout.splitlines()[0]) == (0, f"unchanged {board_id}"), same.stderr
    changed = run(data_dir, "apply", "-", "--yes", stdin=shown.stdout.replace("title: Sprints", "title: Dashes"))
    assert changed.stdout.splitlines()[:2] == [f"change {board_id}", '  title: "Sprints" → "Dashes"']
    deleted = run(data_dir, "delete", board_id, "--yes")
    assert (deleted.returncode, deleted.stdout) == (0, f"{board_id} deleted\n")
    gone = run(data_dir, "show", board_id)
    assert gone.returncode == 1
    assert re.fullmatch(r"error: there is no board with this id: `.* boards list` shows them\n", gone.stderr), gone.stderr


@pytest.mark.parametrize(("answer", "is_made"), [("y", True), ("n", False), ("", False)])
def test_at_a_terminal_it_asks(data_dir: Path, board_id: str, tmp_path: Path, answer: str, is_made: bool) -> None:
    file = tmp_path / "boards.yaml"
    file.write_text(FILE.format(id=board_id))
    keyboard, stdin = pty.openpty()
    os.write(keyboard, f"{answer}\n".encode())
    done = run(data_dir, "apply", str(file), stdin=stdin)
    os.close(stdin)
    os.close(keyboard)
    assert "apply this? [y/N]" in done.stdout
    assert done.returncode == (0 if is_made else 1), done.stderr
    assert (board_id in run(data_dir, "list").stdout) == is_made


def test_every_board_that_is_refused_is_told_with_file_board_and_member(data_dir: Path, board_id: str) -> None:
    text = f"boards:\n  {board_id}:\n  bad:\n    order: up\n  worse:\n    periods: [{{name: p, cron: never}}]\n"
    done = run(data_dir, "apply", "-", "--yes", stdin=text)
    assert done.returncode == 1
    assert "-: bad: `order` must be `descending` or `ascending`." in done.stderr
    assert "-: worse: `periods[0].cron` must be" in done.stderr
    assert board_id not in run(data_dir, "list").stdout


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("boards: [", "is not valid YAML"),
        ("boards:\n  a: {}\n  a: {}\n", "`a` stands twice"),
        ("boards:\n  a:\n    title: x\n    title: y\n", "`title` stands twice"),
        ("board: {}\n", "must have `boards:`"),
        ("boards: [a]\n", "must have `boards:`"),
        ("", "must have `boards:`"),
        ("boards: {}\nversion: 1\n", "`version` is unknown"),
        ("boards:\n  1: {}\n", "put it in quotes"),
        ("boards:\n  a: !!python/object:os.system {}\n", "is not valid YAML"),
        ("boards:\n  a: !!set {b}\n", "nothing but texts"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_before_anything_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    file = tmp_path / "boards.yaml"
    file.write_text(text)
    assert main(["boards", "apply", str(file)]) == 2
    error = capsys.readouterr().err
    assert str(file) in error
    assert told in error


def test_a_file_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards", "apply", str(tmp_path / "none.yaml")]) == 2
    assert "No such file" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["list", "x"], ["show"], ["apply"], ["delete"]])
def test_what_does_not_say_which_is_bad_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards", *arguments]) == 2
    assert f"boards {arguments[0]}" in capsys.readouterr().err
