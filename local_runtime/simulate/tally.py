"""Counts what happens in a simulation, from many threads."""

from __future__ import annotations

import math
import threading
from collections import Counter
from dataclasses import dataclass, field

STEPS_PER_MS = 10


@dataclass
class Tally:
    """Updates by status with their latencies (to a tenth of a millisecond), and what the viewer saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    frames: int = 0
    _latencies: Counter[int] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def update(self, status: int, seconds: float) -> None:
        """One update was answered."""
        with self._lock:
            self.statuses[status] += 1
            self._latencies[round(seconds * 1000 * STEPS_PER_MS)] += 1

    def frame(self) -> None:
        """The viewer received a frame."""
        with self._lock:
            self.frames += 1

    @property
    def accepted(self) -> int:
        """Updates answered 200."""
        return self.statuses[200]

    @property
    def refused(self) -> int:
        """Updates answered anything else."""
        with self._lock:
            return sum(self.statuses.values()) - self.statuses[200]

    def percentiles_ms(self) -> tuple[float, float]:
        """Median and 99th percentile of the latency in ms."""
        with self._lock:
            ordered = sorted(self._latencies.items())
        return _percentile_ms(ordered, 0.5), _percentile_ms(ordered, 0.99)


def _percentile_ms(ordered: list[tuple[int, int]], share: float) -> float:
    """The least latency within which at least `share` of the updates were answered."""
    wanted = math.ceil(share * sum(count for _, count in ordered))
    for latency, count in ordered:
        wanted -= count
        if wanted <= 0:
            return latency / STEPS_PER_MS
    return 0.0
