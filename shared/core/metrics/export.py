"""How metrics leave a process on Lambda: every invocation ends with them in the log."""

from __future__ import annotations

import sys
from typing import TextIO

from shared.core import metrics
from shared.core.metrics.emf import Changes, documents


class LogExporter:
    """Writes what came with each invocation in CloudWatch's format, and what hosts count elsewhere: the invocation itself."""

    def __init__(self, namespace: str, stream: TextIO) -> None:
        self._namespace = namespace
        self._stream = stream
        self._changes = Changes()

    def invocation_ended(
        self, function: str, trigger: str, outcome: str, seconds: float, status: int | None, request_id: str
    ) -> None:
        """Write it; only an answer over HTTP has a status."""
        metrics.invocations.of(function, trigger, outcome).inc()
        metrics.invocation_seconds.of(function, trigger).observe(seconds)
        if trigger == "http":
            metrics.responses.of(function, str(status)).inc()
        readings = metrics.of_host.read() + metrics.registry.read()
        for family in metrics.MEASURED:
            family.clear()
        for line in documents(self._changes.of(readings), self._namespace, {"requestId": request_id}):
            self._stream.write(f"{line}\n")
        self._stream.flush()


exporter: LogExporter | None = None


def export_metrics(namespace: str, stream: TextIO | None = None) -> None:
    """Write the metrics to `stream` (stdout) from now on; without a namespace they stay here, for a host to read."""
    global exporter  # noqa: PLW0603 - one for the process, as the metrics are
    exporter = LogExporter(namespace, stream or sys.stdout) if namespace else None
