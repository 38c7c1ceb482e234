"""GET /metrics: has what exists once (queues, the outbox, stores) measured now, so that nobody's old numbers are shown."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from local_runtime.hosting.invoker import FunctionError, FunctionTimedOut, Invoker, PayloadTooLarge
from local_runtime.hosting.manifest import Function, Manifest
from local_runtime.metrics import build_info
from local_runtime.version import product_version
from shared.core.metrics import MEASURED
from shared.core.metrics.instruments import Reading
from shared.core.metrics.processes import ProcessMetrics
from shared.core.metrics.prometheus import exposition

FRESH_SECONDS = 1.0
logger = logging.getLogger(__name__)


class Scrape:
    """Invokes the functions that the template wants invoked for it, one scrape at a time and at most once a second."""

    def __init__(self, metrics: ProcessMetrics, manifest: Manifest, invoker: Invoker) -> None:
        self._metrics = metrics
        self._manifest = manifest
        self._invoker = invoker
        self._functions: Sequence[Function] = [each for each in manifest.functions if each.invoke_on_scrape]
        self._lock = threading.Lock()
        self._measured_at: float | None = None
        build_info.of(product_version()).set(1)

    def run(self) -> bytes:
        """The text exposition."""
        return exposition(self.readings())

    def readings(self) -> list[Reading]:
        """Of all processes; what could not be measured is missing."""
        with self._lock:
            if self._measured_at is None or time.monotonic() - self._measured_at > FRESH_SECONDS:
                self._measured_at = time.monotonic() if self._measure() else None
            return self._metrics.collect()

    def _measure(self) -> bool:
        try:
            for function in self._functions:
                self._invoker.invoke(function, self._manifest.start_event(function), trigger="scrape")
        except (FunctionError, FunctionTimedOut, PayloadTooLarge) as error:
            logger.warning("metrics are incomplete: %s", error)
            for family in MEASURED:
                family.clear()  # old numbers are no numbers
            return False
        return True
