"""How metrics leave the process: a host reads them when it likes, or every invocation ends with them in the log."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TextIO

from shared.core import metrics
from shared.core.metrics.emf import Changes, documents
from shared.core.metrics.instruments import PREFIX, Reading, Registry

Collect = Callable[[Callable[[], list[Reading]]], object]


# What hosts count themselves, and the exporter where there is none.
ON_ITS_OWN = tuple(PREFIX + name for name in ("function_invocations_total", "function_duration_seconds", "http_responses_total"))


class LogExporter:
    """Writes what came with each invocation in CloudWatch's format, and what hosts count elsewhere: the invocation itself."""

    def __init__(self, namespace: str, stream: TextIO) -> None:
        self._namespace = namespace
        self._stream = stream
        self._changes = Changes()
        self._own = own = Registry()
        self._invocations = own.counter(
            "function_invocations_total", "Invocations by outcome", ("function", "trigger", "outcome")
        )
        self._seconds = own.histogram(
            "function_duration_seconds", "Duration of invocations", ("function", "trigger"), bounds=metrics.FAST
        )
        self._responses = own.counter("http_responses_total", "Answers to HTTP requests", ("function", "status"))

    def invocation_ended(
        self, function: str, trigger: str, outcome: str, seconds: float, status: int | None, request_id: str
    ) -> None:
        """Write it; only an answer over HTTP has a status."""
        self._invocations.of(function, trigger, outcome).inc()
        self._seconds.of(function, trigger).observe(seconds)
        if trigger == "http":
            self._responses.of(function, str(status)).inc()
        readings = self._own.read() + metrics.registry.read()
        for family in metrics.MEASURED:
            family.clear()
        for line in documents(self._changes.of(readings), self._namespace, {"requestId": request_id}):
            self._stream.write(f"{line}\n")
        self._stream.flush()


exporter: LogExporter | None = None


def export_metrics(collect: Collect | None, namespace: str, stream: TextIO | None = None) -> None:
    """Give what reads the metrics to the host's function, or else write them to `stream` (stdout).

    Without either they stay here.
    """
    global exporter  # noqa: PLW0603 - one for the process, as the metrics are
    exporter = None
    if collect is not None:
        collect(metrics.registry.read)
    elif namespace:
        exporter = LogExporter(namespace, stream or sys.stdout)
