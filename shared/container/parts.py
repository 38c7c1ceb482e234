"""What all parts of the container begin with."""

from __future__ import annotations

from functools import cached_property

from shared.core.clock import Clock, SystemClock
from shared.core.config import Settings
from shared.core.loop import Loop, find_loop


class Parts:
    """Adapters are made from the settings at the first use, and kept; their clients are imported and connected only then."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock: Clock = SystemClock()

    @cached_property
    def _loop(self) -> Loop | None:
        """The host's, for requests that are served at the same time."""
        return find_loop(self.settings.loop_hook)
