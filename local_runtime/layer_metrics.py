"""Brings what the layer measures in this process to Prometheus; the layer hands over what reads it, for we may not import it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

HOOK = f"{__name__}:read_from"  # what the layer finds in METRICS_HOOK
Read = Callable[[], Iterable[Any]]
_sources: list[Read] = []


def read_from(source: Read) -> None:
    """Called by the layer when its first function is about to run in this process.

    `source` answers readings: kind, name, help, unit, labels, bounds and values; the last are, by the values of the labels,
    numbers, or of a histogram the counts of its buckets and their sums, all of them since the process began.
    """
    if source not in _sources:
        _sources.append(source)


class LayerMetrics:
    """Adds what came since the last flush to what all processes share; gauges belong to whoever has them measured.

    `shared` are metrics that the runtime adds to as well, by name.
    """

    def __init__(self, registry: Any, shared: Mapping[str, Any]) -> None:
        self._registry = registry
        self._families = dict(shared)
        self._before: dict[tuple[str, tuple[str, ...]], Any] = {}

    def flush(self) -> None:
        """The library counts and observes one by one; its histogram's own numbers take any amount."""
        for source in _sources:
            for reading in source():
                if reading.kind != "gauge":
                    self._flush(reading)

    def gauges(self) -> list[Any]:
        """The readings of things that exist once, as they were measured last in this process."""
        return [reading for source in _sources for reading in source() if reading.kind == "gauge"]

    def _flush(self, reading: Any) -> None:
        family = self._families.get(reading.name)
        if family is None:
            family = self._families[reading.name] = self._made(reading)
        for values, now in reading.values.items():
            key = (reading.name, values)
            before = self._before.get(key)
            if now == before:
                continue
            self._before[key] = now
            _add(family.labels(*values) if values else family, reading.kind, before, now)

    def _made(self, reading: Any) -> Any:
        from prometheus_client import Counter, Histogram

        if reading.kind == "counter":
            return Counter(reading.name, reading.help, reading.labels, registry=self._registry)
        return Histogram(reading.name, reading.help, reading.labels, buckets=reading.bounds, registry=self._registry)


def _add(metric: Any, kind: str, before: Any, now: Any) -> None:
    if kind == "counter":
        metric.inc(now - (before or 0))
        return
    counts, sums = now
    counts_before, sums_before = before or ((0,) * len(counts), (0.0,) * len(sums))
    metric._sum.inc(sum(sums) - sum(sums_before))  # noqa: SLF001
    for bucket, count, count_before in zip(metric._buckets, counts, counts_before, strict=True):  # noqa: SLF001
        if count > count_before:
            bucket.inc(count - count_before)
