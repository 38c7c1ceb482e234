"""How long things took: counted to a tenth of a millisecond, so that memory does not grow with how many there were."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

STEPS_PER_MS = 10
SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


@dataclass(slots=True)
class Distribution:
    """Durations; not made for several threads at once."""

    _counts: Counter[int] = field(default_factory=Counter)

    def add(self, seconds: float) -> None:
        """One more."""
        self._counts[round(seconds * 1000 * STEPS_PER_MS)] += 1

    def summary_ms(self) -> dict[str, float] | None:
        """p50, p90, p99 and max; None when there were none."""
        ordered = sorted(self._counts.items())
        return {name: _percentile_ms(ordered, share) for name, share in SHARES.items()} if ordered else None


def _percentile_ms(ordered: list[tuple[int, int]], share: float) -> float:
    """The least duration within which at least this share lies."""
    wanted = math.ceil(share * sum(count for _, count in ordered))
    for duration, count in ordered:
        wanted -= count
        if wanted <= 0:
            return duration / STEPS_PER_MS
    return 0.0
