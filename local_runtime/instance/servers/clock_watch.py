"""Notices that the machine's clock was set back, for a server that would wait until the old time is reached again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

LEAST_SECONDS = 1.0


class ClockWatch:
    """`on_set_back` is called when that has happened, again and again until it answers that it has done what is to be done.

    `tend` is to be called several times a second.
    """

    def __init__(
        self,
        on_set_back: Callable[[], bool],
        clock: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_set_back = on_set_back
        self._clock = clock
        self._elapsed = elapsed
        self._ahead = clock() - elapsed()
        self._is_untold = False

    def tend(self) -> None:
        """Cheap when there is nothing to do."""
        before, self._ahead = self._ahead, self._clock() - self._elapsed()
        if before - self._ahead > LEAST_SECONDS:
            self._is_untold = True
            logger.warning("the clock was set back by %.0f s", before - self._ahead)
        if self._is_untold:
            self._is_untold = not self._on_set_back()
