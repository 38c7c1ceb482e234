"""What the layer counts, said as log records: whoever hosts the functions turns them into metrics.

The local runtime adds a handler to the logger `scoreboard.metrics` and counts for Prometheus. Elsewhere the record is a line of
JSON like any other, with the members `metric`, `value` and `labels`, from which a metric filter makes the same.
"""

from __future__ import annotations

import logging

_log = logging.getLogger("scoreboard.metrics")


def count(name: str, value: int = 1, **labels: str | bool) -> None:
    """Add `value` to the counter `scoreboard_<name>`; labels have few values, none of which a client can choose."""
    _log.info("counted", extra={"metric": name, "value": value, "labels": {key: _text(label) for key, label in labels.items()}})


def _text(label: str | bool) -> str:
    return str(label).lower() if isinstance(label, bool) else label
