"""CloudWatch's embedded metric format, read as its specification says."""

from __future__ import annotations

import json
from typing import Any

UNITS = {"Seconds", "Count", "Bytes"}


def checked(line: str) -> dict[str, Any]:
    """A document, held against the specification of the format; answers its metrics by name."""
    document: dict[str, Any] = json.loads(line)
    metadata = document["_aws"]
    assert set(metadata) == {"Timestamp", "CloudWatchMetrics"}
    assert type(metadata["Timestamp"]) is int
    found: dict[str, Any] = {}
    for directive in metadata["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert 1 <= len(directive["Namespace"]) <= 1024
        [dimensions] = directive["Dimensions"]
        assert len(dimensions) <= 30
        assert all(isinstance(document[name], str) and 1 <= len(document[name]) <= 1024 for name in dimensions)
        assert 1 <= len(directive["Metrics"]) <= 100
        for metric in directive["Metrics"]:
            assert set(metric) == {"Name", "Unit"}
            assert metric["Unit"] in UNITS
            assert metric["Name"] not in found, "a name stands for one metric in a document"
            value = document[metric["Name"]]
            if isinstance(value, dict):
                assert set(value) == {"Values", "Counts"}
                assert len(value["Values"]) == len(value["Counts"]) <= 100
                assert all(type(count) is int and count > 0 for count in value["Counts"])
            else:
                assert isinstance(value, int | float)
            found[metric["Name"]] = (value, {name: document[name] for name in dimensions})
    assert len(found) <= 100
    return found


def metrics_in(log: str) -> dict[str, list[tuple[Any, dict[str, str]]]]:
    """All metrics of a log by name, each a value with its dimensions; other lines are no concern of the format."""
    found: dict[str, list[tuple[Any, dict[str, str]]]] = {}
    for line in log.splitlines():
        if line.startswith('{"_aws"'):
            for name, told in checked(line).items():
                found.setdefault(name, []).append(told)
    return found
