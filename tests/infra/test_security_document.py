"""SECURITY.md promises nothing without a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
PATHS = sorted(set(re.findall(r"`(tests/[^`]+)`", TEXT)))


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    section = TEXT.split(f"\n## {heading}", 1)[1].split("\n## ", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("|")][2:]


def test_it_names_tests() -> None:
    assert len(PATHS) > 40


@pytest.mark.parametrize("path", PATHS)
def test_each_test_it_names_is_there(path: str) -> None:
    assert re.search(r"^def test_", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("heading", ["What is promised", "OWASP API Security Top 10", "OWASP ASVS"])
def test_no_row_is_without_a_test(heading: str) -> None:
    found = rows(heading)
    assert len(found) >= 10
    assert [row[0] for row in found if "`tests/" not in row[-1]] == []


def test_all_ten_risks_are_answered() -> None:
    assert [row[0].split()[0] for row in rows("OWASP API Security Top 10")] == [f"API{number}" for number in range(1, 11)]
