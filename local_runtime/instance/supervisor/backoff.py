"""How long to wait before a process that died is started again."""

from __future__ import annotations

from shared.core.backoff import doubled

FIRST_SECONDS = 0.1
LONGEST_SECONDS = 5.0
HEALTHY_SECONDS = 30.0


class Backoff:
    """At once the first time, then 0.1 s and twice as long each time, up to 5 s; from the beginning after 30 s of health."""

    def __init__(self) -> None:
        self._deaths = 0

    def next_delay(self, healthy_seconds: float) -> float:
        """Seconds to wait after a death, which came `healthy_seconds` after the process had answered its probe."""
        if healthy_seconds >= HEALTHY_SECONDS:
            self._deaths = 0
        self._deaths += 1
        if self._deaths == 1:
            return 0.0
        return doubled(FIRST_SECONDS, LONGEST_SECONDS, self._deaths - 2)
