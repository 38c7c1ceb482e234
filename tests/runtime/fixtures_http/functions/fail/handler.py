"""Raises."""

from __future__ import annotations

from typing import Any


def lambda_handler(event: dict[str, Any], context: Any) -> Any:
    raise RuntimeError("the database password is hunter2")
