"""Starting and stopping as an operator sees it, at a terminal and without one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.product import new_data_dir, remove_data_dir
from tests.support.terminal import HIDE_CURSOR, SHOW_CURSOR, Shown

START_SECONDS, STOP_SECONDS = 240.0, 60.0
PARTS = ("redis", "postgresql", "rabbitmq", "http", "consumer", "scheduler")


@pytest.fixture
def data_dir() -> Iterator[Path]:
    path = new_data_dir()
    yield path
    remove_data_dir(path)


def test_a_terminal_shows_what_runs_where_what_to_try_and_how_it_ends(data_dir: Path) -> None:
    with Shown("serve", "--port", "0", "--data-dir", str(data_dir), columns=80) as shown:
        shown.wait_for("Ctrl-C stops it", START_SECONDS)
        assert "preparing the stores" in shown.text
        told = shown.text.partition("ready: ")[2]
        base_url = told.partition("\n")[0]
        rows = {line.split()[0]: line for line in told.splitlines() if line.strip()}
        assert all(re.search(r" \d+\.\d s", rows[part]) for part in PARTS), rows
        assert re.match(r"redis +\d+\.\d+\.\d+ +127\.0\.0\.1:\d+ +redis/", rows["redis"])
        assert base_url in rows["http"]
        assert rows["play"].endswith(f"simulate --players 20 --seconds 10 --data-dir {data_dir}"), "whole, to be copied"
        assert "epmd" not in rows
        assert shown.interrupt() == 0
        ended = shown.text.rpartition("stopping\n")[2]
        assert all(f"✓ {part}" in ended for part in PARTS)
        assert shown.raw.rindex(HIDE_CURSOR) < shown.raw.rindex(SHOW_CURSOR)
        assert "Traceback" not in shown.text


def test_a_dumb_terminal_gets_lines(data_dir: Path) -> None:
    with Shown("serve", "--port", "0", "--data-dir", str(data_dir), columns=80, TERM="dumb") as shown:
        shown.wait_for("Ctrl-C stops it", START_SECONDS)
        assert re.search(r"^redis: ready in \d+\.\d s$", shown.text, re.MULTILINE)
        assert shown.interrupt() == 0
        assert re.search(r"^http: stopped in \d+\.\d s$", shown.text, re.MULTILINE)
        assert "\x1b" not in shown.raw
