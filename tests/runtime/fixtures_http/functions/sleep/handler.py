"""Takes as long as it is told."""

from __future__ import annotations

import time
from typing import Any


def lambda_handler(event: dict[str, Any], context: Any) -> Any:
    time.sleep(float(event["queryStringParameters"]["seconds"]))
    return {"remaining": context.get_remaining_time_in_millis()}
