"""Counts what happens in a simulation, from many threads."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from scoreboard_client import Board, ScoreboardError

from local_runtime.simulate.distribution import Distribution


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted until some moment; durations in ms by share, None while there are none.

    `refused` is by code; `lag_ms` from the moment an update was sent until the viewer saw it on the board.
    """

    accepted: int
    refused: Mapping[str, int]
    frames: int
    latency_ms: Mapping[str, float] | None
    lag_ms: Mapping[str, float] | None


@dataclass
class Tally:
    """Updates by outcome with their latencies, and what the viewer saw. `accepted` and `frames` may be read at any time."""

    accepted: int = 0
    frames: int = 0
    _refused: Counter[str] = field(default_factory=Counter)
    _latency: Distribution = field(default_factory=Distribution)
    _lag: Distribution = field(default_factory=Distribution)
    _expected: dict[str, tuple[int, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sent(self, user_id: str, score: int, at: float) -> None:
        """An update was sent with which this player will have this score; of each player the newest is looked for."""
        with self._lock:
            self._expected[user_id] = (score, at)

    def accept(self, seconds: float) -> None:
        """An update was accepted, so long after it was sent."""
        with self._lock:
            self._latency.add(seconds)
            self.accepted += 1

    def refuse(self, error: ScoreboardError) -> None:
        """An update was refused, for good or for a while."""
        with self._lock:
            self._refused[error.code if error.code != "unknown" else str(error.status)] += 1

    def forget(self, user_id: str) -> None:
        """This player's newest update is not looked for any more: it was refused for good."""
        with self._lock:
            self._expected.pop(user_id, None)

    def seen(self, board: Board, at: float) -> None:
        """The viewer received a board."""
        with self._lock:
            self.frames += 1
            for entry in board["data"]:
                expected = self._expected.get(entry["userId"])
                if expected is not None and entry["score"] >= expected[0]:
                    self._lag.add(at - expected[1])
                    del self._expected[entry["userId"]]

    def counted(self) -> Counted:
        """Until now."""
        with self._lock:
            return Counted(self.accepted, dict(self._refused), self.frames, self._latency.summary_ms(), self._lag.summary_ms())
