"""The thread in which a binding's function runs, so that the connection's own thread can go on serving the connection."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

Batch = TypeVar("Batch")
Settled = Callable[[BaseException | None, float], None]


class BatchWorker(Generic[Batch]):
    """Handles one batch at a time, always in the same thread, as a Lambda sandbox would."""

    def __init__(self, name: str, handle: Callable[[Batch], object]) -> None:
        self._name = name
        self._handle = handle
        self._batches: SimpleQueue[tuple[Batch, Settled]] = SimpleQueue()
        self._idle = threading.Event()
        self._idle.set()
        self._thread: threading.Thread | None = None

    def submit(self, batch: Batch, settled: Settled) -> None:
        """Handle a batch; `settled` is told, in the worker's thread, the failure or None and the seconds it took."""
        self._idle.clear()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        self._batches.put((batch, settled))

    def wait_until_idle(self) -> None:
        """Wait for the batch in hand; its deadline is the Invoker's affair."""
        self._idle.wait()

    def _work(self) -> None:
        while True:
            batch, settled = self._batches.get()
            began = time.monotonic()
            failure: BaseException | None = None
            try:
                self._handle(batch)
            except BaseException as error:  # a SystemExit is no success either
                failure = error
            del batch
            settled(failure, time.monotonic() - began)
            self._idle.set()
