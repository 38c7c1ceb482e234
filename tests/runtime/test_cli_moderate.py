"""The verb `moderate`: how it is said, what it asks, and what it prints."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local_runtime.cli.main import main
from shared.container import Container
from shared.core.cursor import MAX_ID
from tests.handlers.boards import add_entry, define_board
from tests.handlers.events import SOURCE_IP
from tests.handlers.players import Player, board_in_agreement, new_player
from tests.runtime.verbs import run_verb, seeming_instance
from tests.support.waiting import eventually


@pytest.fixture
def deps(redeploy: Callable[..., Container]) -> Iterator[Container]:
    """With boards of its own that agree with the ledger, and a consumer that keeps them so."""
    with board_in_agreement(redeploy) as made:
        yield made


@pytest.fixture
def data_dir(tmp_path: Path, deps: Container, function_environment: dict[str, str]) -> Iterator[Path]:
    """A data directory that an instance seems to run on, with these boards."""
    with seeming_instance(tmp_path / "data", {**function_environment, "KEY_PREFIX": deps.settings.key_prefix}) as directory:
        yield directory


@pytest.fixture
def cheater(deps: Container) -> Player:
    return new_player(deps)


@pytest.fixture
def board_id(deps: Container, cheater: Player) -> str:
    """One where the cheater has two entries, which are in the ledger."""
    made = define_board(deps, operator="best")
    for value in (7, 90):
        assert add_entry(made, cheater, {"value": value}).status == 200
    eventually(lambda: len(deps.boards.entries(made, cheater.user_id, MAX_ID, 9)) == 2, 60, "both in the ledger")
    return made


def said(data_dir: Path, *arguments: str) -> str:
    done = run_verb(data_dir, "moderate", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_cheater_is_hidden_corrected_and_shown_again(data_dir: Path, board_id: str, cheater: Player) -> None:
    hidden = re.fullmatch(r"decision (\d+): hide\n", said(data_dir, "hide", board_id, cheater.username, "--reason", "bots"))
    assert hidden
    again = said(data_dir, "hide", board_id, cheater.user_id, "--reason", "bots")
    assert again.endswith(": hide; it changes nothing\n")
    assert said(data_dir, "undo", board_id, hidden[1], "--reason", "no bots").split(": ")[1].startswith("undo")
    header, newest, _ = said(data_dir, "entries", board_id, cheater.username).splitlines()
    request_id = dict(zip(header.split("\t"), newest.split("\t"), strict=True))["requestId"]
    struck = said(data_dir, "strike", board_id, cheater.username, "--entry", request_id, "--reason", "a short cut")
    assert struck.splitlines()[1] == "  all_time, season 1: 7"
    adjusted = said(data_dir, "adjust", board_id, cheater.username, "--value", "9", "--reason", "bonus")
    assert adjusted.splitlines()[1] == "  all_time, season 1: 9"
    listed = said(data_dir, "list", board_id, cheater.username).splitlines()
    assert [line.split("\t")[2:7] for line in listed[1:3]] == [
        [cheater.username, "adjust", "9", "bonus", "operator"],
        [cheater.username, "strike", request_id, "a short cut", "operator"],
    ]
    twice = run_verb(data_dir, "moderate", "undo", board_id, hidden[1], "--reason", "x")
    assert (twice.returncode, "undone" in twice.stderr) == (1, True), twice.stderr
    unknown = run_verb(data_dir, "moderate", "hide", "*", "nobody1", "--reason", "x")
    assert (unknown.returncode, unknown.stderr) == (1, "error: there is no player called nobody1\n")


def test_a_missing_reason_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["moderate", "hide", "main", "ada"]) == 2
    assert "error: --reason is missing; usage: " in capsys.readouterr().err


def test_several_are_told_first_and_nothing_is_done_without_a_yes(data_dir: Path, board_id: str, cheater: Player) -> None:
    since = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    several = ("hide", board_id, "--network", SOURCE_IP, "--since", since, "--reason", "bots")
    asked = run_verb(data_dir, "moderate", *several)
    assert (asked.returncode, "--yes" in asked.stderr) == (2, True), asked.stderr
    assert f"{cheater.username}  {cheater.user_id}" in asked.stdout
    assert said(data_dir, *several, "--yes").splitlines()[-1].endswith(": done")
    assert said(data_dir, *several) == "nobody is meant, or it changes nothing for them\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["hide", "main", "ada"],
        ["hide", "main", "--reason", "x"],
        ["hide", "main", "ada", "--simulated", "--reason", "x"],
        ["hide", "main", "ada", "--value", "3", "--reason", "x"],
        ["strike", "main", "ada", "--reason", "x"],
        ["strike", "main", "--network", "192.0.2.1", "--entry", "x", "--reason", "x"],
        ["adjust", "main", "ada", "--reason", "x"],
        ["undo", "main", "ada", "--reason", "x"],
        ["undo", "main", "\N{SUPERSCRIPT TWO}", "--reason", "x"],
        ["undo", "main", "--reason", "x"],
        ["entries", "main"],
        ["entries", "main", "ada", "--reason", "x"],
    ],
)
def test_what_is_said_wrongly_is_told_before_anything_is_asked(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["moderate", *arguments]) == 2
    assert "moderate " in capsys.readouterr().err
