"""CloudWatch embedded metric format: metrics as lines of the log, from which CloudWatch takes them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from shared.core.metrics.instruments import Reading

MAX_METRICS = 100  # of a document
_Key = tuple[str, tuple[str, ...]]


class Member(NamedTuple):
    """A metric with its dimensions, and its value as it stands in a document."""

    name: str
    unit: str
    dimensions: dict[str, str]
    value: Any


class Changes:
    """What has come since it was last asked: of counters and histograms the difference, of gauges what they are."""

    def __init__(self) -> None:
        self._before: dict[_Key, Any] = {}

    def of(self, readings: Iterable[Reading]) -> Iterator[Member]:
        """A member for everything in which something has come."""
        for reading in readings:
            for values, now in reading.values.items():
                before = self._before.get((reading.name, values))
                self._before[reading.name, values] = now
                if (value := _difference(reading, before, now)) is not None:
                    yield Member(reading.name, reading.unit, dict(zip(reading.labels, values, strict=True)), value)


def _difference(reading: Reading, before: Any, now: Any) -> Any:
    if reading.kind == "gauge":
        return now
    if reading.kind == "counter":
        return now - (before or 0) or None
    counts, sums = now
    counts_before, sums_before = before or ((0,) * len(counts), (0.0,) * len(sums))
    found = [(n - m, s - t) for n, m, s, t in zip(counts, counts_before, sums, sums_before, strict=True) if n > m]
    if not found:
        return None
    # The mean of each bucket: exact for a single observation, and so is the sum of all in any case.
    return {"Values": [seconds / n for n, seconds in found], "Counts": [n for n, _ in found]}


def documents(members: Iterable[Member], namespace: str, properties: dict[str, str]) -> list[str]:
    """As few lines as will do: within one a metric has one value, and a dimension, too."""
    open_ones: list[_Document] = []
    for member in members:
        if not any(document.takes(member) for document in open_ones):
            open_ones.append(_Document(properties, member))
    return [document.text(namespace, round(time.time() * 1000)) for document in open_ones]


class _Document:
    def __init__(self, properties: dict[str, str], first: Member) -> None:
        self._root: dict[str, Any] = {}
        self._properties = properties
        self._directives: dict[tuple[str, ...], list[dict[str, str]]] = {}
        self._metrics = 0
        self.takes(first)

    def takes(self, member: Member) -> bool:
        """Put it in, if there is place and nothing in the way."""
        root = self._root
        fits = all(root.get(name, value) == value for name, value in member.dimensions.items())
        if not fits or member.name in root or self._metrics == MAX_METRICS:
            return False
        self._metrics += 1
        root.update(member.dimensions)
        root[member.name] = member.value
        self._directives.setdefault(tuple(member.dimensions), []).append({"Name": member.name, "Unit": member.unit})
        return True

    def text(self, namespace: str, timestamp: int) -> str:
        """One line of JSON."""
        directives = [
            {"Namespace": namespace, "Dimensions": [list(dimensions)], "Metrics": metrics}
            for dimensions, metrics in self._directives.items()
        ]
        return json.dumps(
            {"_aws": {"Timestamp": timestamp, "CloudWatchMetrics": directives}, **self._properties, **self._root},
            separators=(",", ":"),
        )
