"""Takes as long as it is told, of a time that lasts also where the machine stands still meanwhile."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any


def lambda_handler(event: dict[str, Any], context: Any) -> Any:
    Path(os.environ["EVENTS_FILE"]).with_suffix(".sleeping").touch()
    time.sleep(float(event["queryStringParameters"]["seconds"]))
    return {}
