"""The last hour of an instance, a sample a minute, for the charts of the admins' page."""

from __future__ import annotations

import fcntl
import json
import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from local_runtime.gateway.http.overview import figures
from shared.core.metrics.instruments import Reading

SAMPLE_SECONDS = 60
SAMPLES = 61  # whose differences are an hour
UPDATE = "update_score"
NO_CALLS = {"count": 0, "failed": 0, "buckets": []}
logger = logging.getLogger(__name__)


class History:
    """A ring of samples that all workers of an instance share, in a file: of each minute one of them takes the sample."""

    def __init__(
        self,
        read: Callable[[], Iterable[Reading]],
        directory: Path,
        spawn: Callable[[Callable[[], None]], object],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`read` measures, which takes a moment, and `spawn` has that done beside what the worker does."""
        self._clock = clock
        self._read = read
        self._file = directory / "history"
        self._spawn = spawn
        self._minute = 0

    def tend(self) -> None:
        """Called several times a second."""
        minute = int(self._clock() // SAMPLE_SECONDS)
        if minute != self._minute:
            self._minute = minute
            self._spawn(self.sample)

    def sample(self) -> None:
        """Take the sample of this minute, unless another worker has or is about to; what cannot be kept is missing."""
        try:
            with self._file.with_suffix(".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                kept = self.samples()
                now = self._clock()
                if not kept or kept[-1]["at"] // SAMPLE_SECONDS != now // SAMPLE_SECONDS:
                    unfinished = self._file.with_suffix(".new")
                    unfinished.write_text(json.dumps([*kept, {"at": now, **sample_of(self._read())}][-SAMPLES:]))
                    unfinished.replace(self._file)
        except OSError as error:
            logger.debug("no sample of this minute: %s", error)

    def samples(self) -> list[dict[str, Any]]:
        """Oldest first; `at` is an instant in seconds since 1970."""
        if not self._file.exists():
            return []
        kept: list[dict[str, Any]] = json.loads(self._file.read_text())
        return kept


def sample_of(readings: Iterable[Reading]) -> dict[str, Any]:
    """Totals of `updates` (with their durations, see figures) and `refusals`, and how many there are of what comes and goes.

    `outbox` and `deadLetters` are None when their store could not be asked.
    """
    known = {reading.name: reading for reading in readings}
    told = figures(known.values())
    return {
        "updates": told["functions"].get(UPDATE, NO_CALLS),
        "refusals": sum(known["scoreboard_refusals_total"].values.values()),
        "viewers": told["viewers"],
        "outbox": known["scoreboard_outbox_entries"].values.get(()),
        "deadLetters": known["scoreboard_dead_letters"].values.get(("parked",)),
    }
