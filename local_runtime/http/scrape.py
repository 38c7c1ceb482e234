"""GET /metrics: has what exists once (queues, the outbox, stores) measured now, so that nobody's old numbers are shown."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from local_runtime.at_start import start_event
from local_runtime.invoker import FunctionError, FunctionTimedOut, Invoker, PayloadTooLarge
from local_runtime.manifest import Function, Manifest
from local_runtime.metrics import RuntimeMetrics

FRESH_SECONDS = 1.0
logger = logging.getLogger(__name__)


class Scrape:
    """Invokes the functions that the template wants invoked for it, one scrape at a time and at most once a second."""

    def __init__(self, metrics: RuntimeMetrics, manifest: Manifest, invoker: Invoker) -> None:
        self._metrics = metrics
        self._manifest = manifest
        self._invoker = invoker
        self._functions: Sequence[Function] = [each for each in manifest.functions if each.invoke_on_scrape]
        self._lock = threading.Lock()
        self._measured_at: float | None = None

    def run(self) -> bytes:
        """The text exposition; what could not be measured is missing."""
        with self._lock:
            if self._measured_at is None or time.monotonic() - self._measured_at > FRESH_SECONDS:
                self._measured_at = time.monotonic() if self._measure() else None
            return self._metrics.render(with_gauges=self._measured_at is not None)

    def _measure(self) -> bool:
        try:
            for function in self._functions:
                self._invoker.invoke(function, start_event(self._manifest, function), trigger="scrape")
        except (FunctionError, FunctionTimedOut, PayloadTooLarge) as error:
            logger.warning("metrics are incomplete: %s", error)
            return False
        return True
