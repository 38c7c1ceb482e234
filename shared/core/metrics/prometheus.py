"""Prometheus's text exposition format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

from shared.core.metrics.instruments import Reading

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})


def exposition(readings: Iterable[Reading]) -> bytes:
    """The text of these families; one without values is named and described all the same."""
    return "".join(f"{line}\n" for reading in readings for line in _lines(reading)).encode()


def _lines(reading: Reading) -> Iterator[str]:
    name = reading.name
    yield f"# HELP {name} {reading.help.translate(_HELP_ESCAPES)}"
    yield f"# TYPE {name} {reading.kind}"
    for values, found in reading.values.items():
        labels = dict(zip(reading.labels, values, strict=True))
        if reading.kind != "histogram":
            yield _sample(name, labels, found)
            continue
        counts, sums = found
        bounds = (*(_number(bound) for bound in reading.bounds), "+Inf")
        for bound, count in zip(bounds, accumulate(counts), strict=True):
            yield _sample(f"{name}_bucket", {**labels, "le": bound}, count)
        yield _sample(f"{name}_count", labels, sum(counts))
        yield _sample(f"{name}_sum", labels, sum(sums))


def _sample(name: str, labels: dict[str, str], value: float) -> str:
    told = ",".join(f'{label}="{text.translate(_ESCAPES)}"' for label, text in sorted(labels.items()))
    return f"{name}{{{told}}} {_number(value)}" if told else f"{name} {_number(value)}"


def _number(value: float) -> str:
    return repr(float(value))
