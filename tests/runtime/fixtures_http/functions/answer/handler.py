"""Answers what the body says, whatever that is."""

from __future__ import annotations

import json
from typing import Any


def lambda_handler(event: dict[str, Any], context: Any) -> Any:
    return json.loads(event["body"])
