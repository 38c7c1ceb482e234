"""How long to try."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass

from scoreboard_client.errors import ScoreboardError

GIVE_UP_AFTER_SECONDS = 60.0


@dataclass(frozen=True)
class Patience:
    """How long to try, whether 429 is waited for, too, and who is told before every wait.

    `stop` ends the waiting: an event of `threading` for a Scoreboard, of `asyncio` for an AsyncScoreboard.
    """

    give_up_after_seconds: float = GIVE_UP_AFTER_SECONDS
    wait_when_limited: bool = True
    on_retry: Callable[[ScoreboardError, float], object] | None = None
    stop: threading.Event | asyncio.Event | None = None


PATIENT = Patience()
