"""Work beside what a thread is doing: one run at a time, however often it is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable

from shared.core.errors import ScoreboardError
from shared.core.logs import get_logger

CLOSE_SECONDS = 5.0
_log = get_logger(__name__)


class Background:
    """Runs `call` in a thread of its own. Asked for in the middle of a run, it runs once more afterwards."""

    def __init__(self, name: str, call: Callable[[], object]) -> None:
        self._name = name
        self._call = call
        self._lock = threading.Lock()
        self._is_running = self._is_asked = False
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        """Whether a run is under way."""
        return self._is_running

    def start(self) -> None:
        """Ask for a run."""
        with self._lock:
            self._is_asked = True
            if self._is_running:
                return
            self._is_running = True
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait for the run under way, but not for ever."""
        thread = self._thread
        if thread is not None:
            thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._is_asked:
                    self._is_running = False
                    return
                self._is_asked = False
            try:
                self._call()
            except ScoreboardError as error:
                _log.warning(f"{self._name} failed", extra={"code": error.code})
            except Exception:
                _log.exception(f"{self._name} failed")
