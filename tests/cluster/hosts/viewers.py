"""Viewers who come back by themselves, and remember when they saw what."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Self

from scoreboard_client import Scoreboard, ScoreboardError

ALIVE_SECONDS = 5.0  # a connection that is silent for so long is asked whether it lives, and left when it does not say so
LEAVE_SECONDS = 20.0


class Viewer:
    """Watches the board of one instance, in a thread, as a client of ours does."""

    def __init__(self, url: str) -> None:
        self._live = Scoreboard(url).watch(alive_seconds=ALIVE_SECONDS)
        self._seen: list[float] = []
        self.shown: dict[str, int] = {}
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.close()
        self._thread.join(LEAVE_SECONDS)

    def back_after(self, since: float) -> float:
        """How many seconds after an instant the first frame came; endless when none has come."""
        return next((at - since for at in self._seen if at > since), float("inf"))

    def _watch(self) -> None:
        with suppress(ScoreboardError):  # what is not seen is counted
            for board in self._live:
                self.shown = {line["userId"]: line["score"] for line in board["data"]}
                self._seen.append(time.monotonic())
