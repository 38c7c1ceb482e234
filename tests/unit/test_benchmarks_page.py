"""The page of `make bench`: what was measured, for people."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from tests.benchmarks.figures import figure
from tests.benchmarks.page import write_page
from tests.benchmarks.plots import bars, lines


def test_each_part_shows_its_plots_and_its_figures(tmp_path: Path) -> None:
    found = [figure("updates <a second>", "1/s", [1.0, 3.0, 2.0], "limit", 4.0)]
    drawings = [
        bars("Bars", "1/s", {"ours": 2.0, "theirs & others": 1.0}, 3.0),
        lines("Lines", "x", "s", {"": [(1.0, 2.0), (10.0, 0.0)]}),
    ]
    write_page({"one": (found, drawings), "two": (found, [])}, tmp_path / "dist" / "found.html")
    _, _, text = (tmp_path / "dist" / "found.html").read_text().partition("\n")
    page = ET.fromstring(text)  # noqa: S314 - our own
    assert [head.text for head in page.iter("h2")] == ["one", "two"]
    assert len(list(page.iter("{http://www.w3.org/2000/svg}svg"))) == 2
    rows = [[cell.text for cell in row] for row in page.iter("tr")]
    assert rows[1] == ["updates <a second>", "2", "3", "1/s", "3", "limit", "4", "0.500"]
    assert len(rows) == 4


def test_many_points_have_few_labels() -> None:
    drawn = lines("Minutes", "minutes", "s", {"": [(float(x), 1.0) for x in range(1, 61)]}, scale=float)
    assert drawn.count('text-anchor="middle"') == 12 + 1
    assert drawn.count("<circle") == 60
