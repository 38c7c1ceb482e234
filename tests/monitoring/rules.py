"""The rules as they stand, and the tools of Prometheus."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

MONITORING = Path(__file__).resolve().parent.parent.parent / "infra" / "monitoring"
PROMETHEUS = MONITORING / "prometheus"
RULES = (PROMETHEUS / "rules" / "promises.yml", PROMETHEUS / "rules" / "alerts.yml")


@dataclass(frozen=True, slots=True)
class Alert:
    """An alerting rule."""

    name: str
    expr: str
    labels: dict[str, str]
    annotations: dict[str, str]


def groups() -> list[dict[str, Any]]:
    """Every group of both files."""
    return [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]


def alerts() -> list[Alert]:
    """Every alerting rule."""
    return [
        Alert(rule["alert"], rule["expr"], rule["labels"], rule["annotations"])
        for group in groups()
        for rule in group["rules"]
        if "alert" in rule
    ]


def promtool(*arguments: str | Path) -> str:
    """What promtool says; AssertionError when it is not content."""
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
