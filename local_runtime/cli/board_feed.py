"""The boards as they come, taken from a thread that waits for them, so that the screen need not."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue

from scoreboard_client import Board, LiveBoard

CLOSE_SECONDS = 3.0


class Feed:
    """What a LiveBoard gives; it may be asked from one thread."""

    def __init__(self, live: LiveBoard) -> None:
        self._live = live
        self._came: SimpleQueue[Board | Exception] = SimpleQueue()
        self._thread = threading.Thread(target=self._follow, name="boards", daemon=True)
        self._thread.start()

    @property
    def is_connected(self) -> bool:
        """Whether boards come."""
        return self._live.is_connected

    @property
    def reconnects(self) -> int:
        """How often the connection was lost."""
        return self._live.reconnects

    def board(self, seconds: float) -> Board | None:
        """The next one, None when there is none for so long; raises what ended the LiveBoard."""
        try:
            came = self._came.get(timeout=seconds)
        except Empty:
            return None
        if isinstance(came, Exception):
            raise came
        return came

    def close(self) -> None:
        """End the connection."""
        self._live.close()
        self._thread.join(CLOSE_SECONDS)

    def _follow(self) -> None:
        try:
            for board in self._live:
                self._came.put(board)
        except Exception as error:
            self._came.put(error)
