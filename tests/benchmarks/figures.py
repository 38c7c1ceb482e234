"""One measured figure, and the table and JSON in which figures are shown."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """A median over `samples` measurements in `unit`, its 99th percentile, and the limit or peer it is held against."""

    name: str
    unit: str
    samples: int
    median: float
    p99: float
    against: str
    reference: float

    @property
    def ratio(self) -> float:
        """Median over reference."""
        return self.median / self.reference


def figure(name: str, unit: str, values: Sequence[float], against: str, reference: float) -> Figure:
    """Sum measurements up."""
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return Figure(name, unit, len(ordered), statistics.median(ordered), p99, against, reference)


def rows(figures: Sequence[Figure]) -> list[tuple[str, ...]]:
    """The figures for people, below a line of headings."""
    found: list[tuple[str, ...]] = [("figure", "median", "p99", "unit", "n", "against", "reference", "ratio")]
    return found + [
        (f.name, f"{f.median:.4g}", f"{f.p99:.4g}", f.unit, str(f.samples), f.against, f"{f.reference:.4g}", f"{f.ratio:.3f}")
        for f in figures
    ]


def table(figures: Sequence[Figure]) -> str:
    """The figures as aligned text."""
    lines = rows(figures)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def write_json(figures: Sequence[Figure], path: Path) -> None:
    """The figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([{**asdict(f), "ratio": f.ratio} for f in figures], indent=2) + "\n", encoding="utf-8")
