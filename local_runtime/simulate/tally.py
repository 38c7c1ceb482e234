"""Counts what happens in a simulation, from many threads."""

from __future__ import annotations

import statistics
import threading
from collections import Counter
from dataclasses import dataclass, field

MILLISECONDS = 1000


@dataclass
class Tally:
    """Updates by status with their latencies, and what the viewer saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    frames: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def update(self, status: int, seconds: float) -> None:
        """One update was answered."""
        with self._lock:
            self.statuses[status] += 1
            self.seconds.append(seconds)

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
        return sum(self.statuses.values()) - self.accepted

    def percentiles_ms(self) -> tuple[float, float]:
        """Median and 99th percentile of the latency in ms."""
        with self._lock:
            ordered = sorted(self.seconds)
        if not ordered:
            return 0.0, 0.0
        return statistics.median(ordered) * MILLISECONDS, ordered[int(len(ordered) * 0.99)] * MILLISECONDS
