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


def table(figures: Sequence[Figure]) -> str:
    """The figures as aligned text."""
    rows = [("figure", "median", "p99", "unit", "n", "against", "reference", "ratio")]
    rows += [
        (f.name, f"{f.median:.4g}", f"{f.p99:.4g}", f.unit, str(f.samples), f.against, f"{f.reference:.4g}", f"{f.ratio:.3f}")
        for f in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def write_json(figures: Sequence[Figure], path: Path) -> None:
    """The figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([{**asdict(f), "ratio": f.ratio} for f in figures], indent=2) + "\n", encoding="utf-8")
