"""Writes its event down; answers what a message says that it should."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def lambda_handler(event: dict[str, Any], context: Any) -> Any:
    with Path(os.environ["EVENTS_FILE"]).open("a") as file:
        file.write(json.dumps(event) + "\n")
    if event.get("body") == "fail":
        raise RuntimeError("the database password is hunter2")
    if str(event.get("body")).startswith('{"answer":'):
        return json.loads(event["body"])["answer"]
    return {"statusCode": 200, "body": "this goes nowhere"}
