"""Answers the event it was given."""

from __future__ import annotations

import json
from typing import Any


def lambda_handler(event: dict[str, Any], context: Any) -> Any:
    headers = {"content-type": "application/json", "x-function": context.function_name}
    return {"statusCode": 200, "headers": headers, "body": json.dumps(event)}
